"""The fleet as the rules see it: how many holders run each version of each component, and who is out of service.

:func:`start` reads it from an observation, :func:`after` says what a step makes of it, :func:`during` what is
there while the step is still at work. Values throughout: every state of a plan exists beside the others.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import assert_never

from rollout.model.proof import ProvenSubject
from rollout.model.reboot import Booting
from rollout.model.rekey import Rekey
from rollout.model.step import (
    Advertise,
    ApplyObjects,
    AwaitAdvertised,
    AwaitControlPlane,
    AwaitGateways,
    AwaitNodeReady,
    AwaitPeering,
    AwaitVersion,
    AwaitWithdrawn,
    ConfigureHosts,
    ConfigureSwitch,
    Cordon,
    DrainGateways,
    Evict,
    EvictAll,
    InstallChart,
    MoveServer,
    NaiveReplace,
    ProbeVips,
    RemoveChart,
    ReplaceAgents,
    RestoreGateways,
    RunCommand,
    Soak,
    Step,
    TakeSnapshot,
    Uncordon,
    Withdraw,
)
from rollout.planner.components import CHART_NUMBERED, CONTROL, INJECTED, LEADERS, proxy_of
from rollout.planner.holding import Holdings, Row

Component = tuple[str, str]
Counts = Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Installed:
    """A Helm release: the chart's version and what it pins new proxies to."""

    version: str
    data_plane: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Fleet:
    """``counts``: per (subject, component), holders by version. ``gateways``: name to mesh; ``dark``: those that
    nobody serves at all. ``native``: components that ran at the start."""

    subjects: Mapping[str, ProvenSubject]
    counts: Mapping[Component, Counts]
    held: Holdings
    releases: Mapping[tuple[str, str, str], Installed]
    gateways: Mapping[str, str]
    gateway_nodes: frozenset[str]
    native: frozenset[Component] = frozenset()
    out: frozenset[str] = frozenset()
    dark: frozenset[str] = frozenset()

    @property
    def serving(self) -> int:
        """Gateway nodes that announce; with a gateway that nobody serves, its VIP has none."""
        return 0 if self.dark else len(self.gateway_nodes) - len(self.out)

    def versions(self, subject: str, component: str) -> tuple[str, ...]:
        """Without the empty one: a version that nobody can read takes part in no rule."""
        return tuple(sorted(filter(None, self.counts.get((subject, component), ()))))

    def kind(self, subject: str) -> str:
        found = self.subjects.get(subject)
        return found.kind if found else subject


def after(fleet: Fleet, step: Step) -> Fleet:  # noqa: C901 - one closed match over every effect
    """What is true once the step is done; the same object where nothing that rules look at changed."""
    if isinstance(step.effect, Rekey | Booting):
        return fleet
    match step.effect:
        case Withdraw(node=node):
            return _out(fleet, fleet.out | ({node} & fleet.gateway_nodes))
        case Advertise(node=node):
            return _out(fleet, fleet.out - {node})
        case Evict(node=node, mesh=mesh, version=version):
            return moved_on(fleet, node, (mesh, proxy_of(fleet.kind(mesh))), version)
        case EvictAll(node=node):
            return _scattered(fleet, node)
        case ReplaceAgents(node=node, subject=subject, components=components, version=version):
            for component in components:
                fleet = moved_on(fleet, node, (subject, component), version)
            return fleet
        case AwaitVersion(subject=subject, component=component, version=version, node=str(node)):
            return moved_on(fleet, node, (subject, component), version, appears=True)
        case AwaitVersion(subject=subject, component=component, version=version):
            return moved_everywhere(fleet, (subject, component), version)
        case AwaitControlPlane(mesh=mesh, version=version):
            return _control_plane(fleet, mesh, version)
        case MoveServer(subject=subject, component=component, version=version):
            return _server(
                fleet, (subject, component), f"{step.effect.workload}-{step.effect.ordinal}", version
            )
        case InstallChart():
            return _installed(fleet, step.effect)
        case RemoveChart(subject=subject, release=release, namespace=namespace):
            return _removed(fleet, (subject, namespace, release))
        case AwaitGateways(gateway=gateway):
            return _served(fleet, gateway)
        case NaiveReplace(nodes=nodes, mesh=mesh):
            return _naive(fleet, nodes, mesh)
        case AwaitNodeReady() | Cordon() | Uncordon() | DrainGateways() | RestoreGateways():
            return fleet
        case AwaitWithdrawn() | AwaitAdvertised() | AwaitPeering() | ProbeVips() | Soak() | TakeSnapshot():
            return fleet
        case ConfigureHosts() | ConfigureSwitch() | ApplyObjects() | RunCommand():
            return fleet
        case _:
            assert_never(step.effect)


def during(fleet: Fleet, step: Step) -> Fleet | None:
    """Both versions side by side while a Deployment or DaemonSet rolls; None where a step has no between."""
    match step.effect:
        case AwaitControlPlane() | AwaitVersion(node=None):
            then = after(fleet, step)
            mixed = {key: {**fleet.counts.get(key, {}), **then.counts[key]} for key in _changed(fleet, then)}
            grown = {key: counts for key, counts in mixed.items() if len(counts) > len(then.counts[key])}
            return replace(fleet, counts={**fleet.counts, **grown}) if grown else None
        case _:
            return None


def _changed(fleet: Fleet, then: Fleet) -> list[Component]:
    return [key for key, counts in then.counts.items() if fleet.counts.get(key) is not counts]


def _out(fleet: Fleet, out: frozenset[str]) -> Fleet:
    return fleet if out == fleet.out else replace(fleet, out=out)


def moved_on(fleet: Fleet, holder: str, key: Component, version: str, *, appears: bool = False) -> Fleet:
    """The holder runs the component at ``version`` only. With ``appears`` also if it did not run it before."""
    rows = fleet.held.on(holder)
    gone = [row for row in rows if row[:2] == key]
    if [row.version for row in gone] == [version] or not (gone or appears):
        return fleet
    kept = tuple(row for row in rows if row[:2] != key)
    counts = _recounted(fleet.counts.get(key, {}), [row.version for row in gone], [version])
    held = fleet.held.having(holder, (*kept, Row(*key, version)))
    return replace(fleet, held=held, counts={**fleet.counts, key: counts})


def _recounted(counts: Counts, gone: Iterable[str], come: Iterable[str]) -> Counts:
    new = dict(counts)
    for version in gone:
        new[version] -= 1
    for version in come:
        new[version] = new.get(version, 0) + 1
    return {version: count for version, count in new.items() if count > 0}


def moved_everywhere(fleet: Fleet, key: Component, version: str) -> Fleet:
    """Rebuilds the holders once per fleet-wide wait that moves something, which is a few times in a plan."""
    holders = {holder for holder, _ in fleet.held.holders(*key)}
    if set(fleet.counts.get(key, ())) == {version}:
        return fleet
    if not holders:
        holders = {key[1]}
    held = fleet.held
    for holder in holders:
        kept = tuple(row for row in held.on(holder) if row[:2] != key)
        held = held.having(holder, (*kept, Row(*key, version)))
    return replace(fleet, held=held, counts={**fleet.counts, key: {version: len(holders)}})


def _control_plane(fleet: Fleet, mesh: str, version: str) -> Fleet:
    """In place, the old one is gone; by revision it stays beside the new one until its chart is removed."""
    kind = fleet.kind(mesh)
    key = (mesh, CONTROL.get(kind, "control-plane"))
    if kind in CHART_NUMBERED:
        charts = {installed.version for (owner, *_), installed in fleet.releases.items() if owner == mesh}
        return moved_everywhere(fleet, key, charts.pop()) if len(charts) == 1 else fleet
    subject = fleet.subjects.get(mesh)
    if subject is None or subject.method != "revision":
        return moved_everywhere(fleet, key, version)
    if version in fleet.counts.get(key, {}):
        return fleet
    return moved_on(fleet, f"{key[1]} {version}", key, version, appears=True)


def _server(fleet: Fleet, key: Component, pod: str, version: str) -> Fleet:
    """The pod itself if it was seen, otherwise one of those that are not there yet."""
    if any(row[:2] == key for row in fleet.held.on(pod)):
        return moved_on(fleet, pod, key, version)
    old = sorted(holder for holder, found in fleet.held.holders(*key) if found != version)
    return moved_on(fleet, old[-1] if old else pod, key, version, appears=not old)


def _installed(fleet: Fleet, effect: InstallChart) -> Fleet:
    """Where the control plane is numbered like its chart, it begins to roll here, long before anyone waits for it."""
    mesh, kind = effect.subject, fleet.kind(effect.subject)
    release = (mesh, effect.namespace, effect.release)
    fleet = replace(fleet, releases={**fleet.releases, release: Installed(effect.version, effect.data_plane)})
    if kind not in CHART_NUMBERED:
        return fleet
    key = (mesh, CONTROL.get(kind, "control-plane"))
    holders = sorted(holder for holder, _ in fleet.held.holders(*key))
    return _joined(fleet, holders[0], key, (effect.version,)) if holders else fleet


def _removed(fleet: Fleet, release: tuple[str, str, str]) -> Fleet:
    """With a revision's chart goes its control plane; with a preflight's, what only this plan had brought."""
    subject = release[0]
    gone = fleet.releases.get(release)
    left = {name: installed for name, installed in fleet.releases.items() if name != release}
    passing = [key for key in fleet.counts if key[0] == subject and key not in fleet.native]
    for key in passing:
        fleet = _without(fleet, key, fleet.versions(*key))
    fleet = replace(fleet, releases=left)
    component = (subject, CONTROL.get(fleet.kind(subject), "control-plane"))
    counts = fleet.counts.get(component, {})
    others = {installed.version for (owner, *_), installed in left.items() if owner == subject}
    if gone is None or gone.version not in counts or gone.version in others or len(counts) < 2:
        return fleet
    return _without(fleet, component, (gone.version,))


def _without(fleet: Fleet, key: Component, versions: tuple[str, ...]) -> Fleet:
    held = fleet.held
    for holder, version in tuple(held.holders(*key)):
        if version in versions:
            held = held.having(holder, tuple(row for row in held.on(holder) if row != Row(*key, version)))
    rest = {version: count for version, count in fleet.counts[key].items() if version not in versions}
    return replace(fleet, held=held, counts={**fleet.counts, key: rest})


def injected(fleet: Fleet, mesh: str) -> tuple[str, ...]:
    """What a proxy that starts now gets: the charts' pin, or the control plane's own; () where nobody can say."""
    subject, kind = fleet.subjects.get(mesh), fleet.kind(mesh)
    if kind not in INJECTED:
        return ()
    pins = {i.data_plane for (owner, *_), i in fleet.releases.items() if owner == mesh and i.data_plane}
    if pins and (subject is None or subject.method != "revision"):
        return tuple(sorted(pins))
    return fleet.versions(mesh, LEADERS[kind][0])


def _scattered(fleet: Fleet, node: str) -> Fleet:
    """Pods come back elsewhere with what is injected now; gateways of a DaemonSet stay, so the old may remain too."""
    rows = fleet.held.on(node)
    for mesh, component in {row[:2] for row in rows}:
        if component == proxy_of(fleet.kind(mesh)):
            fleet = _joined(fleet, node, (mesh, component), injected(fleet, mesh))
    return fleet


def _joined(fleet: Fleet, node: str, key: Component, versions: Iterable[str]) -> Fleet:
    rows = fleet.held.on(node)
    new = [Row(*key, version) for version in versions if Row(*key, version) not in rows]
    if not new:
        return fleet
    counts = _recounted(fleet.counts.get(key, {}), (), [row.version for row in new])
    held = fleet.held.having(node, (*rows, *new))
    return replace(fleet, held=held, counts={**fleet.counts, key: counts})


def _served(fleet: Fleet, gateway: str) -> Fleet:
    """Every gateway node has a Ready pod of it: where there was none, it has what is injected now."""
    if not (fleet.dark or fleet.out):
        return fleet
    mesh = fleet.gateways[gateway]
    key = (mesh, proxy_of(fleet.kind(mesh)))
    for node in sorted(fleet.gateway_nodes):
        if not any(row[:2] == key for row in fleet.held.on(node)):
            fleet = _joined(fleet, node, key, injected(fleet, mesh))
    return replace(fleet, dark=fleet.dark - {gateway}, out=frozenset())


def _naive(fleet: Fleet, nodes: tuple[str, ...], mesh: str) -> Fleet:
    key = (mesh, proxy_of(fleet.kind(mesh)))
    version = (injected(fleet, mesh) or fleet.versions(*key))[-1:]
    for node in nodes:
        if version:
            fleet = moved_on(fleet, node, key, version[0])
    return _out(fleet, fleet.out | (frozenset(nodes) & fleet.gateway_nodes))
