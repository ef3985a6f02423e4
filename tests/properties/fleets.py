"""Random fleets and what is asked of them: a fleet at rest, then a few things that are odd about it. All simulated."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
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


class Wish(StrEnum):
    """What a target version is, seen from what runs."""

    NEXT = "next line"
    PATCH = "another patch"
    SAME = "what runs"
    TWO = "two lines on"
    FAR = "the newest line"
    DOWN = "a line down"
    UNKNOWN = "a line nobody knows"
    FLOATING = "a floating tag"
    NOBODY = "no such subject"
    TWICE = "asked twice"


USUAL = (Wish.NEXT,) * 8 + (Wish.PATCH, Wish.SAME, Wish.TWO, Wish.FAR, Wish.FAR, Wish.DOWN)
ODD = (*USUAL, Wish.UNKNOWN, Wish.FLOATING, Wish.NOBODY, Wish.TWICE)


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


Flaw = Callable[[st.DrawFn, Case], Case]


def _node_flaw(**marks: object) -> Flaw:
    def flaw(draw: st.DrawFn, case: Case) -> Case:
        index = draw(st.integers(0, len(case.observed.nodes) - 1))
        nodes = list(case.observed.nodes)
        nodes[index] = replace(nodes[index], **marks)  # type: ignore[arg-type]
        return replace(case, observed=replace(case.observed, nodes=tuple(nodes)))

    return flaw


def lost_route(draw: st.DrawFn, case: Case) -> Case:
    rib = [replace(e, next_hops=frozenset(sorted(e.next_hops)[1:])) for e in case.observed.rib]
    keep = draw(st.lists(st.booleans(), min_size=len(rib), max_size=len(rib)))
    mixed = tuple(old if kept else new for old, new, kept in zip(case.observed.rib, rib, keep, strict=True))
    return replace(case, observed=replace(case.observed, rib=mixed))


def _proxy_flaw(change: Callable[[st.DrawFn, Case, ProxyState], ProxyState]) -> Flaw:
    def flaw(draw: st.DrawFn, case: Case) -> Case:
        found = list(case.observed.proxies)
        if not found:
            return case
        for index in draw(st.sets(st.integers(0, len(found) - 1), min_size=1, max_size=3)):
            found[index] = change(draw, case, found[index])
        return replace(case, observed=replace(case.observed, proxies=tuple(found)))

    return flaw


def _other_version(draw: st.DrawFn, case: Case, proxy: ProxyState) -> ProxyState:
    role = case.roles[proxy.mesh]
    kind = role.proxies()
    assert kind is not None
    version = draw(st.sampled_from([v for line in versions_of(role.kind) for v in line]))
    return replace(proxy, version=role.component_version(kind.component, version))


def _odd_version(draw: st.DrawFn, case: Case, proxy: ProxyState) -> ProxyState:
    del case
    return replace(proxy, version=draw(st.sampled_from(["latest", "unknown", "1.77.0", "1.2"])))


def _not_ready(draw: st.DrawFn, case: Case, proxy: ProxyState) -> ProxyState:
    del draw, case
    return replace(proxy, ready=False)


def _leaving(draw: st.DrawFn, case: Case, proxy: ProxyState) -> ProxyState:
    del draw, case
    return replace(proxy, terminating=True)


def pending_chart(draw: st.DrawFn, case: Case) -> Case:
    index = draw(st.integers(0, len(case.observed.charts) - 1))
    found = list(case.observed.charts)
    status = draw(st.sampled_from(["pending-upgrade", "pending-rollback", "pending-install", "failed"]))
    found[index] = replace(found[index], status=status)
    return replace(case, observed=replace(case.observed, charts=tuple(found)))


def missing_chart(draw: st.DrawFn, case: Case) -> Case:
    index = draw(st.integers(0, len(case.observed.charts) - 1))
    left = (*case.observed.charts[:index], *case.observed.charts[index + 1 :])
    return replace(case, observed=replace(case.observed, charts=left))


def partly_upgraded(draw: st.DrawFn, case: Case) -> Case:
    """Charts of one mesh are at its neighbour line; the data plane stayed where it was."""
    name = draw(st.sampled_from([m.name for m in case.site.meshes]))
    role, now = case.roles[name], case.roles[name].installed_version(case.observed.charts)
    newer = [
        v
        for line in versions_of(role.kind)
        for v in line
        if now and raw.place(role.kind, v)[0] - _at(role, now) == 1
    ]
    if not newer:
        return case
    moved = {(c.namespace, c.release): c for c in charts(role, newer[0])}
    found = tuple(moved.get((c.namespace, c.release), c) for c in case.observed.charts)
    return replace(case, observed=replace(case.observed, charts=found))


def _at(role: SubjectRole, version: str) -> int:
    return raw.place(role.kind, version)[0]


def no_agents(draw: st.DrawFn, case: Case) -> Case:
    seen = sorted({(a.subject, a.component) for a in case.observed.agents})
    if not seen:
        return case
    gone = draw(st.sampled_from(seen))
    left = tuple(a for a in case.observed.agents if (a.subject, a.component) != gone)
    return replace(case, observed=replace(case.observed, agents=left))


def other_kubernetes(draw: st.DrawFn, case: Case) -> Case:
    version = f"v1.{draw(st.integers(26, 39))}.1"
    return replace(case, observed=replace(case.observed, kubernetes=version))


FLAWS: tuple[Flaw, ...] = (
    _node_flaw(cordoned=True),
    _node_flaw(excluded=True, owner="feedface0000-1"),
    _node_flaw(ready=False),
    lost_route,
    _proxy_flaw(_other_version),
    _proxy_flaw(_other_version),
    _proxy_flaw(_odd_version),
    _proxy_flaw(_not_ready),
    _proxy_flaw(_leaving),
    pending_chart,
    missing_chart,
    partly_upgraded,
    no_agents,
    other_kubernetes,
)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Half of them healthy with a usual wish; the others with one or two flaws, or an odd wish, or both."""
    case = draw(healthy())
    flawed = draw(st.booleans())
    for flaw in draw(st.lists(st.sampled_from(FLAWS), min_size=0, max_size=2)) if flawed else ():
        case = flaw(draw, case)
    subjects = draw(st.lists(st.sampled_from(sorted(case.roles)), min_size=1, max_size=2, unique=True))
    wishes = ODD if flawed else USUAL
    targets = [t for name in subjects for t in wished(draw, case, name, draw(st.sampled_from(wishes)))]
    return replace(case, targets=tuple(targets), limit=draw(_limit(case.site)) if flawed else "")


def _limit(site: Site) -> st.SearchStrategy[str]:
    """Mostly none; else a rack, a node, all but one of them, or a name that is not there."""
    node, rack = site.nodes[-1].name, f"rack:{site.racks[0].name}"
    return st.sampled_from(
        [""] * 8 + [node, rack, f"!{node}", f"{rack},!{node}", "rack:r99", f"{node},!{node}"]
    )


@st.composite
def maintained(draw: st.DrawFn) -> Case:
    """A fleet, flawed or not, and a command for some of its nodes."""
    case = draw(cases())
    argv = draw(st.sampled_from([("apt-get", "-y", "upgrade")] * 5 + [(), (" ",), ("sudo", "/sbin/reboot")]))
    reboot = draw(st.booleans())
    return replace(case, targets=(), limit=draw(_limit(case.site)), argv=argv, reboot=reboot)


def moved(case: Case, plan: Plan) -> Case:
    """The same fleet once the plan is done: what it moves is at its target, and the wish is to go back."""
    before = {t.subject: t.before or "" for t in plan.targets}
    now = {name: _running(case, name) or "" for name in case.roles} | {
        t.subject: t.after for t in plan.targets
    }
    kubernetes = now.pop("kubernetes")
    seen = observed(case.site, case.roles, now, f"v{kubernetes.removeprefix('v')}")
    return replace(case, observed=seen, targets=tuple(before.items()), limit="", undone=plan)


def wished(draw: st.DrawFn, case: Case, subject: str, wish: Wish) -> list[tuple[str, str]]:
    """The subject's target, or two of them where it is asked for twice."""
    kind = case.kind(subject)
    known = versions_of(kind)
    now = _running(case, subject)
    line = next(
        (i for i, row in enumerate(raw.lines(kind)) if now and row["line"] == raw.line_of(kind, now)), 0
    )
    match wish:
        case Wish.NOBODY:
            return [(subject + "x", known[line][0])]
        case Wish.UNKNOWN:
            return [(subject, "1.77.0")]
        case Wish.FLOATING:
            return [(subject, draw(st.sampled_from(["latest", "1.31", "", "stable"])))]
        case Wish.TWICE:
            return [(subject, known[line][0])] * 2
        case Wish.SAME:
            return [(subject, (now or known[line][0]).removeprefix("v"))]
        case Wish.PATCH:
            return [(subject, draw(st.sampled_from(known[line])))]
        case Wish.NEXT | Wish.TWO | Wish.FAR | Wish.DOWN:
            step = {Wish.NEXT: 1, Wish.TWO: 2, Wish.FAR: len(known), Wish.DOWN: -1}[wish]
            place = max(0, min(line + step, len(known) - 1))
            return [(subject, known[place][-1] if place == line else draw(st.sampled_from(known[place])))]


def _running(case: Case, subject: str) -> str | None:
    if subject == "kubernetes":
        return case.observed.kubernetes
    return case.roles[subject].installed_version(case.observed.charts)
