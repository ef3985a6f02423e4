"""Binds pods to nodes, spreading them by owner and by load, or says why it cannot."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from lab.kube.collection import Event, EventType
from lab.kube.controllers.loop import Key, ToKeys
from lab.kube.controllers.placement import domains, refusals
from lab.kube.objects import (
    Obj,
    controller_of,
    is_terminating,
    labels_of,
    name_of,
    namespace_of,
    spec_of,
    status_of,
    timestamp,
    with_condition,
    with_value,
)
from lab.kube.pods import is_active
from lab.kube.resource import NODES, PODS, Resource
from lab.kube.store import Store


class Scheduler:
    """Keeps its own list of pods that wait, so that a freed node is offered to them at once."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._waiting: dict[Key, None] = {}
        self._load: Counter[str] = Counter()
        self._by_owner: dict[str, Counter[str]] = {}

    @property
    def watches(self) -> Mapping[Resource, ToKeys]:
        return {PODS: self._pod_changed, NODES: self._node_changed}

    def _pod_changed(self, event: Event) -> Iterable[Key]:
        self._count(event)
        pod = event.object
        key = (namespace_of(pod) or "", name_of(pod))
        if spec_of(pod).get("nodeName"):
            self._waiting.pop(key, None)
            gone = event.type is EventType.DELETED or (is_terminating(pod) and event.old is not None)
            return list(self._waiting) if gone else []
        if event.type is EventType.DELETED:
            self._waiting.pop(key, None)
            return []
        return [] if event.type is EventType.MODIFIED and key in self._waiting else [key]

    def _node_changed(self, event: Event) -> Iterable[Key]:
        before, after = event.old, event.object
        same = before is not None and (spec_of(before), labels_of(before)) == (
            spec_of(after),
            labels_of(after),
        )
        return [] if same else list(self._waiting)

    def _count(self, event: Event) -> None:
        for pod, step in ((event.old, -1), (None if event.type is EventType.DELETED else event.object, 1)):
            node = spec_of(pod).get("nodeName") if pod else None
            if pod and node and is_active(pod):
                self._load[node] += step
                owner = controller_of(pod)
                if owner:
                    self._by_owner.setdefault(owner["uid"], Counter())[node] += step

    def reconcile(self, key: Key) -> float | None:
        pod = self._store.get(PODS, *key)
        if pod is None or spec_of(pod).get("nodeName") or is_terminating(pod):
            self._waiting.pop(key, None)
            return None
        if spec_of(pod).get("schedulingGates"):
            return None
        node, why = self._choose(pod)
        if node:
            self._waiting.pop(key, None)
            self._bind(pod, node)
        else:
            self._waiting[key] = None
            self._explain(pod, why)
        return None

    def _choose(self, pod: Obj) -> tuple[str, str]:
        """(node, "") or ("", why no node fits)."""
        checks = list(refusals(self._store, pod))
        reasons: Counter[str] = Counter()
        for node in sorted(self._pinned(pod), key=self._rank(pod)):
            why = next((told for told in (check(node) for check in checks) if told), "")
            if not why:
                return name_of(node), ""
            reasons[why] += 1
        told = ", ".join(f"{count} {reason}" for reason, count in sorted(reasons.items()))
        total = self._store.count(NODES)
        return (
            "",
            f"0/{total} nodes are available: {told}." if told else "no nodes available to schedule pods",
        )

    def _pinned(self, pod: Obj) -> list[Obj]:
        """The one node a DaemonSet pod is meant for, else all of them."""
        name = pinned_node(pod)
        if name is None:
            return self._store.list(NODES)
        node = self._store.get(NODES, None, name)
        return [node] if node else []

    def _rank(self, pod: Obj) -> Callable[[Mapping[str, Any]], tuple[int, int, int, str]]:
        owner = controller_of(pod)
        mine: Counter[str] = self._by_owner.get(owner["uid"], Counter()) if owner else Counter()
        wishes = [
            (row["topologyKey"], domains(self._store, pod, row.get("labelSelector"), row["topologyKey"]))
            for row in spec_of(pod).get("topologySpreadConstraints") or ()
        ]

        def rank(node: Mapping[str, Any]) -> tuple[int, int, int, str]:
            crowd = sum(counts.get(labels_of(node).get(key, ""), 0) for key, counts in wishes)
            name = name_of(node)
            return (crowd, mine[name], self._load[name], name)

        return rank

    def _bind(self, pod: Obj, node: str) -> None:
        bound = self._store.update(PODS, with_value(pod, ("spec", "nodeName"), node))
        self._say(bound, "True", "", "")

    def _explain(self, pod: Obj, why: str) -> None:
        self._say(pod, "False", "Unschedulable", why)

    def _say(self, pod: Obj, status: str, reason: str, message: str) -> None:
        told: Obj = {
            "type": "PodScheduled",
            "status": status,
            "lastTransitionTime": timestamp(self._store.clock.now()),
        }
        if reason:
            told |= {"reason": reason, "message": message}
        conditions = with_condition(status_of(pod).get("conditions") or (), told)
        self._store.patch_status(PODS, namespace_of(pod), name_of(pod), {"conditions": conditions})


def pinned_node(pod: Obj) -> str | None:
    """The node a DaemonSet pod names in its affinity."""
    affinity = (spec_of(pod).get("affinity") or {}).get("nodeAffinity") or {}
    terms = (affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or {}).get(
        "nodeSelectorTerms"
    ) or ()
    for term in terms:
        for row in term.get("matchFields") or ():
            if row["key"] == "metadata.name" and row["operator"] == "In" and len(row["values"]) == 1:
                return str(row["values"][0])
    return None
