"""Random fleets at rest, of every mesh, with everything in service at one version each. All simulated."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from ipaddress import IPv4Address
from typing import Any

from hypothesis import strategies as st

from bench.fleet import agents_of, rib_entries
from rollout.cli.world import roles_of
from rollout.model.mesh import ChartValues, DataPlane, Gateway, Mesh, MeshKind, Method
from rollout.model.observed import ChartState, NodeState, Observed, ProxyState
from rollout.model.plan import Options, Plan
from rollout.model.policy import ReleasePin
from rollout.model.role import SubjectRole
from rollout.model.site import ControlPlaneHost, Kubernetes, Site
from rollout.planner.request import Request, asked
from tests.properties import raw
from tests.unit import sites


@dataclass(frozen=True, slots=True)
class Case:
    """One request and the parts it was made of. ``argv`` is a maintenance's command and ``reboot`` its wish, ``undone``
    what a rollback undoes; the targets of a rollback are what it goes back to."""

    site: Site
    observed: Observed
    roles: dict[str, SubjectRole]
    targets: tuple[tuple[str, str], ...]
    limit: str = ""
    argv: tuple[str, ...] = ()
    reboot: bool = False
    undone: Plan | None = None

    @property
    def request(self) -> Request:
        options = Options(limit=self.limit)
        return asked(self.site, self.observed, self.roles, *self.targets, options=options)

    def kind(self, subject: str) -> str:
        return self.roles[subject].kind


def versions_of(kind: str) -> list[list[str]]:
    """Line by line, oldest first: some releases of each that the data knows of."""
    return [_releases(kind, row) for row in raw.lines(kind)]


def _releases(kind: str, row: raw.Row) -> list[str]:
    latest = row.get("latest")
    if kind == "linkerd":
        return sorted({row["edge"], *([latest] if latest else [])})
    return [f"{row['line']}.0", *([latest] if latest and latest != f"{row['line']}.0" else [])]


KINDS = (*((kind, DataPlane.SIDECAR) for kind in MeshKind), (MeshKind.ISTIO, DataPlane.AMBIENT))


def mesh(
    name: str,
    kind: MeshKind,
    plane: DataPlane,
    version: str,
    vips: int,
    number: int = 1,
    method: Method = Method.IN_PLACE,
) -> Mesh:
    """With everything that its role needs to have a way: pins of charts, a backup command, its values."""
    namespace = "kube-system" if kind is MeshKind.CILIUM else f"{name}-system"
    gateways = tuple(
        Gateway(
            f"{name}-in-{i}", f"{name}-in", name, "gateways", IPv4Address(f"203.0.113.{number * 4 + i}"), 80
        )
        for i in range(1, vips + 1)
    )
    made = Mesh(
        name,
        kind,
        version,
        namespace,
        (f"{name}-apps",),
        "cluster.local",
        sites.CHARTS,
        gateways,
        data_plane=plane,
    )
    pins = tuple(
        ReleasePin(v, _chart(kind, v)) for line in versions_of(rules_kind(kind, plane)) for v in line
    )
    odd: dict[str, Any] = {"backup": ("consul", "snapshot", "save", "backup.snap"), "method": method}
    if method is Method.REVISION:
        odd["tag"] = f"{name}-stable"
    if kind is MeshKind.CONSUL:
        odd["releases"] = pins
    if kind is MeshKind.CILIUM:
        odd["values"] = (ChartValues("cilium", '{"upgradeCompatibility": "1.16"}'),)
    return replace(made, **odd)


def _chart(kind: MeshKind, version: str) -> str:
    """Consul's charts: 1.21 is in chart 1.7 and so on, 2.0 in chart 2.0."""
    if kind is not MeshKind.CONSUL:
        return version
    major, minor, patch = version.split(".")
    return f"1.{int(minor) - 13}.{patch}" if major == "1" else version


def rules_kind(kind: MeshKind, plane: DataPlane) -> str:
    return "istio-ambient" if plane is DataPlane.AMBIENT else kind.value


@st.composite
def healthy(draw: st.DrawFn) -> Case:
    """A fleet at rest: one to four racks, one or two meshes, everything in service at one version each."""
    racks = draw(st.lists(st.integers(0, 2), min_size=1, max_size=4))
    workers = draw(st.integers(0 if all(racks) else 1, 2))
    chosen = draw(st.lists(st.sampled_from(KINDS), min_size=1, max_size=2, unique_by=lambda pair: pair[0]))
    small = sites.site(tuple(racks), workers=workers, metallb=draw(_metallb()))
    if draw(st.booleans()):
        small = replace(small, racks=tuple(replace(rack, failure_domain="feed-1") for rack in small.racks))
    running = {"metallb": small.metallb.version}
    meshes = []
    for number, (kind, plane) in enumerate(chosen, 1):
        known = versions_of(rules_kind(kind, plane))
        name = f"{kind.value}-{number}"
        running[name] = draw(st.sampled_from(draw(st.sampled_from(known[:-1] * 2 + known))))
        vips = draw(st.integers(0, 2)) if kind is MeshKind.ISTIO else 0
        sidecars = kind is MeshKind.ISTIO and plane is DataPlane.SIDECAR
        method = draw(st.sampled_from(Method)) if sidecars else Method.IN_PLACE
        meshes.append(mesh(name, kind, plane, running[name], vips, number, method))
    small = replace(small, meshes=tuple(meshes), kubernetes=draw(_kubernetes(small.kubernetes)))
    roles = dict(roles_of(small))
    kubernetes = draw(st.sampled_from(_suiting(roles, running)))
    return Case(small, observed(small, roles, running, kubernetes), roles, ())


def _kubernetes(said: Kubernetes) -> st.SearchStrategy[Kubernetes]:
    """Mostly with the site's own commands, so that Kubernetes can be moved; else it is a constraint only."""
    host = ControlPlaneHost("cp1", sites.ssh("127.0.9.1"))
    moved = replace(
        said,
        control_plane=(host,),
        upgrade_control_plane=("kubeadm", "upgrade", "apply", "{version}"),
        upgrade_node=("upgrade-kubelet", "{version}"),
    )
    return st.sampled_from([moved] * 4 + [said])


def _metallb() -> st.SearchStrategy[str]:
    return st.sampled_from(["0.15.3"] * 6 + ["0.16.1", "0.14.9", "0.13.12"])


def _suiting(roles: dict[str, SubjectRole], running: dict[str, str]) -> list[str]:
    """Kubernetes versions that support what runs, twice; and one that may not."""
    every = [f"1.{minor}" for minor in range(29, 38)]
    fit = [
        k for k in every if all(_allowed(roles[name].kind, version, k) for name, version in running.items())
    ]
    return [f"v{_newest(k)}" for k in [*fit * 3, "1.34"]]


def _newest(line: str) -> str:
    row = next(row for row in raw.lines("kubernetes") if row["line"] == line)
    return str(row.get("latest", f"{line}.0"))


def _allowed(kind: str, version: str, kubernetes: str) -> bool:
    line = raw.line_of(kind, version)
    return all(raw.allows(row, kubernetes) for row in raw.lines(kind) if row["line"] == line)


def observed(site: Site, roles: dict[str, SubjectRole], running: dict[str, str], kubernetes: str) -> Observed:
    return Observed(
        kubernetes=kubernetes,
        charts=tuple(c for name, version in running.items() for c in charts(roles[name], version)),
        nodes=tuple(NodeState(n.name, True, False, False, None, kubernetes) for n in site.nodes),
        proxies=tuple(p for m in site.meshes for p in proxies(site, m, roles[m.name], running[m.name])),
        rib=tuple(entry for rack in site.racks for entry in rib_entries(site, rack)),
        agents=tuple(a for name, version in running.items() for a in agents_of(site, roles[name], version)),
    )


def charts(role: SubjectRole, version: str) -> Iterator[ChartState]:
    for chart in role.charts():
        yield ChartState(
            chart.release, chart.namespace, chart.chart, role.chart_version(chart, version), "deployed", 1
        )


def proxies(site: Site, mesh: Mesh, role: SubjectRole, version: str) -> Iterator[ProxyState]:
    kind = role.proxies()
    if kind is None:
        return
    at = role.component_version(kind.component, version)
    for node in site.nodes:
        yield ProxyState(f"app-{node.name}", mesh.namespaces[0], node.name, mesh.name, at, None, True, False)
        for gateway in mesh.gateways if node.gateway else ():
            pod = f"{gateway.name}-{node.name}"
            yield ProxyState(pod, gateway.namespace, node.name, mesh.name, at, gateway.name, True, False)
