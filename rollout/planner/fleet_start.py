"""The fleet as one observation shows it: the first state of every proof."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping

from rollout.model.mesh import DataPlane, Mesh, MeshKind
from rollout.model.observed import Observed
from rollout.model.proof import Group, Placed, ProvenSubject, ServedGateway, Start, StartRelease
from rollout.model.role import SubjectRole
from rollout.model.site import Site
from rollout.planner.components import KUBERNETES, LEADERS, proxy_of
from rollout.planner.fleet import Component, Fleet, Installed
from rollout.planner.holding import Row, holdings
from rollout.planner.serving import serving

ANY = "any"
_BY_POD = frozenset({"server"})
_Found = tuple[str, Row]


def running_version(observed: Observed, role: SubjectRole) -> str | None:
    """What the subject runs at, as its charts (for Kubernetes, its API) say; None if it is not there."""
    return observed.kubernetes if role.kind == KUBERNETES else role.installed_version(observed.charts)


def start(site: Site, observed: Observed, roles: Mapping[str, SubjectRole]) -> Fleet:
    """Pods win over charts: a release may be deployed while its pods still run the version before."""
    subjects = {s.name: s for s in _subjects(site, roles)}
    found = [*_proxies(observed, subjects), *_agents(observed)]
    seen = {row[:2] for _, row in found}
    found += [(h, r) for h, r in _from_charts(site, observed, roles) if r[:2] not in seen]
    found += [(h, r) for h, r in _from_kubernetes(site, observed) if r[:2] not in seen]
    dark, out = _unserved(site, observed)
    return Fleet(
        subjects=subjects,
        counts=counted(found),
        held=holdings(found),
        releases=dict(_releases(observed, roles)),
        gateways={gateway.name: gateway.mesh for gateway in site.gateways},
        gateway_nodes=frozenset(node.name for node in site.gateway_nodes) if site.gateways else frozenset(),
        native=frozenset(row[:2] for _, row in found),
        out=out,
        dark=dark,
    )


def start_of(fleet: Fleet, observed: Observed) -> Start:
    """The same as a value of the plan, sorted: equal fleets read equal."""
    groups: defaultdict[Row, list[str]] = defaultdict(list)
    for bucket in fleet.held.buckets:
        for holder, rows in bucket.items():
            for row in rows:
                groups[row].append(holder)
    releases = sorted((owner, ns, name, i.version) for (owner, ns, name), i in fleet.releases.items())
    return Start(
        subjects=tuple(fleet.subjects[name] for name in sorted(fleet.subjects)),
        groups=tuple(Group(*row, tuple(sorted(groups[row]))) for row in sorted(groups)),
        releases=tuple(StartRelease(*release) for release in releases),
        gateways=tuple(ServedGateway(name, mesh) for name, mesh in sorted(fleet.gateways.items())),
        gateway_nodes=tuple(sorted(fleet.gateway_nodes)),
        placed=tuple(_placed(fleet, observed)),
        out=tuple(sorted(fleet.out)),
        dark=tuple(sorted(fleet.dark)),
    )


def _placed(fleet: Fleet, observed: Observed) -> Iterator[Placed]:
    nodes: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for proxy in observed.proxies:
        if proxy.gateway in fleet.gateways and proxy.node and not proxy.terminating:
            nodes[proxy.gateway or "", proxy.version].add(proxy.node)
    for (gateway, version), found in sorted(nodes.items()):
        yield Placed(gateway, version, tuple(sorted(found)))


def counted(found: list[_Found]) -> dict[Component, dict[str, int]]:
    counts: defaultdict[Component, Counter[str]] = defaultdict(Counter)
    for _, row in dict.fromkeys(found):
        counts[row.subject, row.component][row.version] += 1
    return {key: dict(counter) for key, counter in counts.items()}


def _subjects(site: Site, roles: Mapping[str, SubjectRole]) -> Iterator[ProvenSubject]:
    methods = {mesh.name: _method(mesh) for mesh in site.meshes}
    for role in roles.values():
        yield ProvenSubject(role.name, role.kind, methods.get(role.name, ANY))
    if KUBERNETES not in roles:
        yield ProvenSubject(KUBERNETES, KUBERNETES, ANY)


def _method(mesh: Mesh) -> str:
    """Only Istio with sidecars can choose; everything else has one way that its rules call any."""
    sidecars = mesh.kind is MeshKind.ISTIO and mesh.data_plane is DataPlane.SIDECAR
    return mesh.method.value if sidecars else ANY


def _proxies(observed: Observed, subjects: Mapping[str, ProvenSubject]) -> Iterator[_Found]:
    for proxy in observed.proxies:
        if proxy.node and not proxy.terminating and proxy.mesh in subjects:
            yield proxy.node, Row(proxy.mesh, proxy_of(subjects[proxy.mesh].kind), proxy.version)


def _agents(observed: Observed) -> Iterator[_Found]:
    for agent in observed.agents:
        if not agent.terminating:
            by_pod = agent.component in _BY_POD or agent.node is None
            holder = agent.pod if by_pod else agent.node
            yield holder or agent.pod, Row(agent.subject, agent.component, bare(agent.subject, agent.version))


def bare(subject: str, version: str) -> str:
    """Kubernetes writes v1.35.4 and the rest of us 1.35.4: one spelling, so that one version is one."""
    return version.removeprefix("v") if subject == KUBERNETES else version


def _from_charts(site: Site, observed: Observed, roles: Mapping[str, SubjectRole]) -> Iterator[_Found]:
    servers = {mesh.name: mesh.servers for mesh in site.meshes}
    for role in roles.values():
        version = None if role.kind == KUBERNETES else role.installed_version(observed.charts)
        if version is None:
            continue
        for leader in LEADERS.get(role.kind, ()):
            count = servers.get(role.name, 1) if leader in _BY_POD else 1
            yield from ((f"{role.name}-{leader}-{i}", Row(role.name, leader, version)) for i in range(count))


def _from_kubernetes(site: Site, observed: Observed) -> Iterator[_Found]:
    for node in observed.nodes:
        if node.kubelet:
            yield node.name, Row(KUBERNETES, "kubelet", bare(KUBERNETES, node.kubelet))
    if observed.kubernetes:
        row = Row(KUBERNETES, "apiserver", bare(KUBERNETES, observed.kubernetes))
        for host in [host.name for host in site.kubernetes.control_plane] or ["apiserver"]:
            yield host, row


def _releases(
    observed: Observed, roles: Mapping[str, SubjectRole]
) -> Iterator[tuple[tuple[str, str, str], Installed]]:
    owners = {(c.namespace, c.release): role.name for role in roles.values() for c in role.charts()}
    spaces = {c.namespace: role.name for role in roles.values() for c in role.charts()}
    for chart in observed.charts:
        owner = owners.get((chart.namespace, chart.release), spaces.get(chart.namespace))
        if owner is not None:
            yield (owner, chart.namespace, chart.release), Installed(chart.version)


def _unserved(site: Site, observed: Observed) -> tuple[frozenset[str], frozenset[str]]:
    """Gateways that nobody serves; and gateway nodes that serve not everything, or are marked to announce nothing."""
    nodes = frozenset(node.name for node in site.gateway_nodes)
    by_gateway = {gateway.name: serving(site, observed, gateway) for gateway in site.gateways}
    dark = frozenset(name for name, found in by_gateway.items() if not found)
    excluded = frozenset(node.name for node in observed.nodes if node.excluded) & nodes
    missing = (nodes - found for name, found in by_gateway.items() if name not in dark)
    return dark, (excluded.union(*missing) if site.gateways else frozenset())
