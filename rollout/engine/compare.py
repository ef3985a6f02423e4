"""Two snapshots of one run as a list of differences, and which of them the plan asked for.

What the plan did not ask for is not necessarily wrong, but somebody should look at it: it is what a report is
read for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from rollout.model.observed import ChartState, NodeState
from rollout.model.plan import Plan, PlanKind
from rollout.model.snapshot import Serving, Snapshot
from rollout.model.step import InstallChart, RemoveChart

Key = tuple[str, ...]


class Topic(StrEnum):
    KUBERNETES = "kubernetes"
    CHART = "chart"
    VERSION = "version"
    ENDPOINTS = "endpoints"
    NEXT_HOPS = "next-hops"
    CERTIFICATE = "certificate"
    NODE = "node"


class Change(StrEnum):
    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class Difference:
    """``before`` and ``after`` are for people, None where there was nothing; ``planned`` if the plan asked for it."""

    topic: Topic
    subject: str
    change: Change
    before: str | None
    after: str | None
    planned: bool


def compare(before: Snapshot, after: Snapshot, plan: Plan) -> tuple[Difference, ...]:
    """Topic by topic in a fixed order; a fact that is the same in both is not listed."""
    expects = _Expects(plan)
    found: list[Difference] = []
    for topic in Topic:
        old, new = _facts(before, topic), _facts(after, topic)
        for key in sorted(old.keys() | new.keys()):
            if old.get(key) != new.get(key):
                found.append(_difference(topic, key, old.get(key), new.get(key), expects))
    return tuple(found)


def _difference(
    topic: Topic, key: Key, before: str | None, after: str | None, expects: _Expects
) -> Difference:
    change = Change.ADDED if before is None else Change.REMOVED if after is None else Change.CHANGED
    planned = expects.change(topic, key, before, after)
    return Difference(topic, " ".join(key), change, before, after, planned)


def _facts(snapshot: Snapshot, topic: Topic) -> Mapping[Key, str]:
    match topic:
        case Topic.KUBERNETES:
            return {("API server",): snapshot.kubernetes} if snapshot.kubernetes else {}
        case Topic.CHART:
            return {(c.namespace, c.release): _chart(c) for c in snapshot.charts}
        case Topic.VERSION:
            return {(v.subject, v.component, v.version): _count(v.count, v.ready) for v in snapshot.versions}
        case Topic.ENDPOINTS:
            return {(e.gateway, str(e.vip)): _names(e.nodes) for e in snapshot.endpoints}
        case Topic.NEXT_HOPS:
            hops = snapshot.next_hops
            return {(h.switch, str(h.vip)): _names(tuple(map(str, h.addresses))) for h in hops}
        case Topic.CERTIFICATE:
            return {(s.gateway,): _certificate(s) for s in snapshot.serving}
        case Topic.NODE:
            return {(n.name,): _node(n) for n in snapshot.nodes}


def _chart(chart: ChartState) -> str:
    return f"{chart.chart} {chart.version}, {chart.status}, revision {chart.revision}"


def _count(count: int, ready: int) -> str:
    return str(count) if count == ready else f"{count}, {ready} of them Ready"


def _names(names: tuple[str, ...]) -> str:
    return f"{len(names)}: {', '.join(names)}" if names else "none"


def _certificate(serving: Serving) -> str:
    leaf = serving.certificate
    if leaf is None:
        return f"not available: {serving.why}"
    return f"{leaf.subject} from {leaf.issuer} until {leaf.not_after:%Y-%m-%d %H:%M} ({leaf.sha256[:12]})"


def _node(node: NodeState) -> str:
    owner = f" by run {node.owner}" if node.owner else ""
    words = ["Ready" if node.ready else "NotReady"]
    words += [f"cordoned{owner}"] if node.cordoned else []
    words += [f"excluded from load balancers{owner}"] if node.excluded else []
    words += [f"kubelet {node.kubelet}"] if node.kubelet else []
    return ", ".join(words)


class _Expects:
    """What a plan asks for, worked out once."""

    def __init__(self, plan: Plan) -> None:
        effects = [step.effect for _, _, _, step in plan.numbered()]
        installs = (e for e in effects if isinstance(e, InstallChart))
        removes = (e for e in effects if isinstance(e, RemoveChart))
        self._installed = {(e.namespace, e.release): e.version for e in installs}
        self._removed = {(e.namespace, e.release) for e in removes}
        self._targets = {target.subject: target.after for target in plan.targets}
        self._bringup = plan.kind is PlanKind.BRINGUP

    def change(self, topic: Topic, key: Key, before: str | None, after: str | None) -> bool:
        match topic:
            case Topic.KUBERNETES:
                return self._kubernetes(after)
            case Topic.CHART:
                return self._chart(key, after)
            case Topic.VERSION:
                return self._version(key, before, after)
            case Topic.NODE:
                return self._node(before, after)
            case Topic.ENDPOINTS | Topic.NEXT_HOPS | Topic.CERTIFICATE:
                return self._bringup and _grew(before)

    def _kubernetes(self, after: str | None) -> bool:
        wanted = self._targets.get("kubernetes")
        return wanted is not None and after is not None and after.removeprefix("v") == wanted

    def _chart(self, key: Key, after: str | None) -> bool:
        name = (key[0], key[1])
        if after is None:
            return name in self._removed
        version = self._installed.get(name)
        return version is not None and f" {version}, deployed," in after

    def _version(self, key: Key, before: str | None, after: str | None) -> bool:
        """The target's count grows and every other version's shrinks; what appears at another one is news."""
        subject, _, version = key
        wanted = self._targets.get(subject)
        if wanted is None:
            return False
        return after is not None if version == wanted else _number(after) < _number(before)

    def _node(self, before: str | None, after: str | None) -> bool:
        """Only a kubelet that the plan moves; whatever else differs on a node was left behind, or is news."""
        if "kubernetes" not in self._targets or before is None or after is None:
            return False
        return before.split(", kubelet")[0] == after.split(", kubelet")[0]


def _number(count: str | None) -> int:
    return int(count.split(",")[0]) if count else 0


def _grew(before: str | None) -> bool:
    return before is None or before == "none" or before.startswith("not available")
