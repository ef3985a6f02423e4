"""Node lifecycle: taints that follow cordon and readiness, and nodes whose Lease ran out become NotReady.

A Lease runs out by this controller's clock, from the moment at which it saw it renewed: a kubelet whose own clock is
wrong is alive all the same. (Upstream's does so too, but takes a renewal only for one if its time is later.)

The pods of such a node turn unready, so that their endpoints go; they are not evicted (the real
controller would do that after five minutes).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from lab.kube.collection import Event
from lab.kube.controllers.loop import Key, ToKeys, own_key
from lab.kube.heartbeats import LEASE_NAMESPACE, LEASE_SECONDS
from lab.kube.objects import (
    Obj,
    condition,
    is_true,
    lookup,
    name_of,
    namespace_of,
    spec_of,
    status_of,
    timestamp,
    with_condition,
    with_value,
)
from lab.kube.pods import is_ready
from lab.kube.resource import LEASES, NODES, PODS, Resource
from lab.kube.store import Store

_PREFIX = "node.kubernetes.io/"
_OURS = frozenset(_PREFIX + key for key in ("unschedulable", "not-ready", "unreachable"))


class Nodes:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._watched: set[str] = set()
        self._renewed: dict[str, datetime] = {}

    @property
    def watches(self) -> Mapping[Resource, ToKeys]:
        return {NODES: own_key, LEASES: self._leased}

    def _leased(self, event: Event) -> Iterable[Key]:
        """A new Lease starts the watch over its node; renewals are looked at when the old one would end."""
        name = name_of(event.object)
        if namespace_of(event.object) != LEASE_NAMESPACE:
            return
        self._renewed[name] = self._store.clock.now()
        if name not in self._watched:
            yield ("", name)

    def reconcile(self, key: Key) -> float | None:
        node = self._store.get(NODES, None, key[1])
        if node is None:
            return None
        left = self._left(name_of(node))
        if left is not None and left <= 0 and is_true(node, "Ready"):
            node = self._lost(node)
            self._unready(node)
        self._taint(node)
        if left is None or left <= 0 or name_of(node) in self._watched:
            return None
        self._watched.add(name_of(node))
        self._store.clock.call_later(left, lambda: self._look(key))
        return None

    def _look(self, key: Key) -> None:
        self._watched.discard(key[1])
        self.reconcile(key)

    def _left(self, name: str) -> float | None:
        """Seconds until the Lease runs out, None without one."""
        lease = self._store.get(LEASES, LEASE_NAMESPACE, name)
        renewed = self._renewed.get(name)
        if renewed is None or not lookup(lease, "spec", "renewTime"):
            return None
        end = renewed + timedelta(seconds=LEASE_SECONDS)
        return (end - self._store.clock.now()).total_seconds()

    def _lost(self, node: Obj) -> Obj:
        now = timestamp(self._store.clock.now())
        told = {
            "type": "Ready",
            "status": "Unknown",
            "reason": "NodeStatusUnknown",
            "message": "Kubelet stopped posting node status.",
            "lastHeartbeatTime": now,
            "lastTransitionTime": now,
        }
        conditions = with_condition(status_of(node).get("conditions") or (), told)
        return self._store.patch_status(NODES, None, name_of(node), {"conditions": conditions})

    def _unready(self, node: Obj) -> None:
        """Nobody is left to say how its pods are; a kubelet that says "not ready" itself goes on saying it of them."""
        now = timestamp(self._store.clock.now())
        told = {"type": "Ready", "status": "False", "reason": "NodeLost", "lastTransitionTime": now}
        for pod in self._store.list(PODS, field_selector=f"spec.nodeName={name_of(node)}"):
            if is_ready(pod):
                conditions = with_condition(status_of(pod)["conditions"], told)
                self._store.patch_status(PODS, namespace_of(pod), name_of(pod), {"conditions": conditions})

    def _taint(self, node: Obj) -> None:
        wanted = []
        if spec_of(node).get("unschedulable"):
            wanted.append(("unschedulable", "NoSchedule"))
        ready = condition(node, "Ready")
        if ready is None or ready["status"] != "True":
            key = "unreachable" if ready and ready["status"] == "Unknown" else "not-ready"
            wanted += [(key, "NoSchedule"), (key, "NoExecute")]
        others = [t for t in spec_of(node).get("taints") or () if t["key"] not in _OURS]
        taints = [*others, *({"key": _PREFIX + key, "effect": effect} for key, effect in wanted)]
        if taints != list(spec_of(node).get("taints") or ()):
            self._store.update(NODES, with_value(node, ("spec", "taints"), taints or None))
