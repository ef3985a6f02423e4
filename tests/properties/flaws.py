"""What may be odd about a fleet: marks, lost routes, mixed versions, half-done charts. All simulated."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from hypothesis import strategies as st

from rollout.model.observed import ProxyState
from rollout.model.role import SubjectRole
from tests.properties import raw
from tests.properties.fleets import Case, charts, versions_of

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
