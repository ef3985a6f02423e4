"""DaemonSet: one pod on each node that its template selects, also on cordoned ones; replaced as its strategy says.

``OnDelete`` replaces nothing by itself: a pod that someone deletes comes back from the current template. A new
pod waits until the old one on its node is really gone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from lab.kube.collection import Event
from lab.kube.controllers import daemon_pods, revisions
from lab.kube.controllers.loop import Key, ToKeys, own_key, owner_key
from lab.kube.controllers.placement import selects, untolerated
from lab.kube.controllers.replicasets import owned_pods
from lab.kube.controllers.scheduler import pinned_node
from lab.kube.errors import ApiError
from lab.kube.objects import (
    Obj,
    is_terminating,
    labels_of,
    name_of,
    namespace_of,
    spec_of,
)
from lab.kube.pods import available_in, is_finished, is_ready
from lab.kube.quantities import count_up
from lab.kube.resource import DAEMON_SETS, NODES, PODS, Resource
from lab.kube.store import Store

_RETRY = 0.5
ByNode = dict[str, list[Obj]]


class DaemonSets:
    def __init__(self, store: Store) -> None:
        self._store = store

    @property
    def watches(self) -> Mapping[Resource, ToKeys]:
        return {DAEMON_SETS: own_key, PODS: owner_key("DaemonSet"), NODES: self._all}

    def _all(self, event: Event) -> Iterable[Key]:
        before, after = event.old, event.object
        if before is None or (spec_of(before), labels_of(before)) != (spec_of(after), labels_of(after)):
            yield from ((namespace_of(o) or "", name_of(o)) for o in self._store.list(DAEMON_SETS))

    def reconcile(self, key: Key) -> float | None:
        daemon_set = self._store.get(DAEMON_SETS, *key)
        if daemon_set is None or is_terminating(daemon_set):
            return None
        current = revisions.record(self._store, daemon_set)
        failed = self._place(daemon_set, current)
        if spec_of(daemon_set)["updateStrategy"]["type"] == "RollingUpdate":
            self._roll(daemon_set, current)
        wait = self._tell(daemon_set, current)
        return _RETRY if failed else wait

    def _place(self, daemon_set: Obj, current: str) -> bool:
        """A pod where one is missing, none where none belongs; True if a pod was refused."""
        by_node = self._by_node(daemon_set)
        failed = False
        for node in self._store.list(NODES):
            pods = by_node.get(name_of(node), [])
            if not pods and _belongs(daemon_set, node):
                failed |= not self._create(daemon_set, name_of(node), current)
            for pod in pods:
                if is_finished(pod) or not _may_stay(daemon_set, node):
                    self._delete(pod)
        for name in by_node.keys() - {name_of(node) for node in self._store.list(NODES)}:
            for pod in by_node[name]:
                self._delete(pod)
        return failed

    def _create(self, daemon_set: Obj, node: str, current: str) -> bool:
        try:
            self._store.create(PODS, daemon_pods.pod_for(daemon_set, node, current))
        except ApiError:
            return False
        return True

    def _delete(self, pod: Obj) -> None:
        if not is_terminating(pod):
            self._store.delete(PODS, namespace_of(pod), name_of(pod))

    def _roll(self, daemon_set: Obj, current: str) -> None:
        """Replace old pods: unavailable ones at once, others as far as maxUnavailable (or maxSurge) allows."""
        rolling = spec_of(daemon_set)["updateStrategy"].get("rollingUpdate") or {}
        by_node = {
            node: pods
            for node, pods in self._by_node(daemon_set).items()
            if (found := self._store.get(NODES, None, node)) is not None and _belongs(daemon_set, found)
        }
        surge = count_up(rolling.get("maxSurge", 0), len(by_node))
        if surge:
            self._surge(daemon_set, by_node, current, surge)
            return
        most = max(1, count_up(rolling.get("maxUnavailable", 1), len(by_node)))
        waiting = sum(1 for pods in by_node.values() if not any(self._available(daemon_set, p) for p in pods))
        allowed = most - waiting
        for pods in by_node.values():
            for pod in pods:
                if labels_of(pod).get(revisions.HASH) == current or is_terminating(pod):
                    continue
                if not self._available(daemon_set, pod):
                    self._delete(pod)
                elif allowed > 0:
                    allowed -= 1
                    self._delete(pod)

    def _surge(self, daemon_set: Obj, by_node: ByNode, current: str, surge: int) -> None:
        """New beside old; the old one goes once the new one is available."""
        for node, pods in by_node.items():
            old = [p for p in pods if labels_of(p).get(revisions.HASH) != current and not is_terminating(p)]
            new = [p for p in pods if labels_of(p).get(revisions.HASH) == current]
            if old and new and any(self._available(daemon_set, pod) for pod in new):
                for pod in old:
                    self._delete(pod)
            elif (old and new) or (old and surge > 0 and self._create(daemon_set, node, current)):
                surge -= 1

    def _tell(self, daemon_set: Obj, current: str) -> float | None:
        by_node = self._by_node(daemon_set)
        wanted = {name_of(node) for node in self._store.list(NODES) if _belongs(daemon_set, node)}
        pods = [pods[0] for node, pods in by_node.items() if node in wanted]
        waits = [self._wait(daemon_set, pod) for pod in pods]
        available = sum(1 for wait in waits if wait == 0.0)
        status = {
            "desiredNumberScheduled": len(wanted),
            "currentNumberScheduled": len(pods),
            "numberMisscheduled": sum(1 for node in by_node if node not in wanted),
            "numberReady": sum(1 for pod in pods if is_ready(pod)),
            "updatedNumberScheduled": sum(1 for pod in pods if labels_of(pod).get(revisions.HASH) == current),
            "numberAvailable": available,
            "numberUnavailable": len(wanted) - available,
            "observedGeneration": daemon_set["metadata"]["generation"],
        }
        self._store.patch_status(DAEMON_SETS, namespace_of(daemon_set), name_of(daemon_set), status)
        return min((wait for wait in waits if wait), default=None)

    def _by_node(self, daemon_set: Obj) -> ByNode:
        """Its pods, oldest first, by the node they run on or are meant for; terminating ones too."""
        found: ByNode = {}
        for pod in sorted(
            owned_pods(self._store, daemon_set), key=lambda p: str(p["metadata"]["creationTimestamp"])
        ):
            node = spec_of(pod).get("nodeName") or pinned_node(pod)
            if node:
                found.setdefault(node, []).append(pod)
        return found

    def _wait(self, daemon_set: Obj, pod: Obj) -> float | None:
        return available_in(pod, spec_of(daemon_set).get("minReadySeconds", 0), self._store.clock.now())

    def _available(self, daemon_set: Obj, pod: Obj) -> bool:
        return self._wait(daemon_set, pod) == 0.0


def _belongs(daemon_set: Obj, node: Obj) -> bool:
    spec = daemon_pods.spec_for(daemon_set)
    return selects(spec, node) and not untolerated(spec, node)


def _may_stay(daemon_set: Obj, node: Obj) -> bool:
    """A taint of effect NoSchedule keeps new pods out but lets running ones stay."""
    return selects(daemon_pods.spec_for(daemon_set), node)
