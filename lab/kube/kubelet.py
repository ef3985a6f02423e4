"""Nodes without machines: pods bound to them turn Ready after a moment and go when deleted. Nothing runs.

For the pure simulation; in the namespace lab the agents of :mod:`lab.node` do this with real processes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from ipaddress import IPv4Network
from typing import Any

from lab.kube import deletion
from lab.kube.collection import Event
from lab.kube.controllers.loop import ControlLoop, Key, ToKeys, own_key
from lab.kube.heartbeats import beat
from lab.kube.objects import (
    Obj,
    annotations_of,
    is_terminating,
    lookup,
    name_of,
    namespace_of,
    spec_of,
    status_of,
    timestamp,
    uid_of,
)
from lab.kube.pods import is_finished, is_ready
from lab.kube.resource import NODES, PODS, Resource
from lab.kube.runtimes import Runtime
from lab.kube.store import Store

LABEL = "rackroll.io/simulated"
STUCK, UNREADY, DOWN = (f"rackroll.test/{word}" for word in ("stuck", "unready", "down"))
"""Annotations that tests set: of a pod that is to hang when it is deleted, or to run and never be ready; of a node
whose kubelet is to do nothing."""
POD_NETWORK = IPv4Network("10.244.0.0/14")
_BEAT = 10.0


class SimulatedKubelet:
    """All of these nodes' kubelets at once. ``delay`` seconds pass before a pod is Ready, or gone."""

    def __init__(self, store: Store, nodes: Mapping[str, str], version: str, *, delay: float = 0.3) -> None:
        self._store = store
        self._nodes = dict(nodes)  # name -> address
        self._version = version
        self._delay = delay
        self._down: set[str] = set()
        self._due: dict[str, float] = {}
        self._next_address = 1
        self._loop: ControlLoop | None = None

    def start(self, loop: ControlLoop) -> None:
        """Register the nodes and keep them alive."""
        self._loop = loop
        loop.add(self)
        for name in self._nodes:
            self._store.runtimes.register(name, Runtime(_exec, _logs))
        self._beat()

    def kill(self, node: str) -> None:
        """The node's heartbeat and its pods' progress stop, as if it had lost power."""
        self._down.add(node)
        self._store.runtimes.remove(node)

    def revive(self, node: str) -> None:
        self._down.discard(node)
        self._store.runtimes.register(node, Runtime(_exec, _logs))
        beat(self._store, node, self._nodes[node], self._version, {LABEL: "true"})
        for pod in self._store.list(PODS, field_selector=f"spec.nodeName={node}"):
            if self._loop is not None:
                self._loop.enqueue(self, (namespace_of(pod) or "", name_of(pod)))

    @property
    def watches(self) -> Mapping[Resource, ToKeys]:
        return {PODS: self._mine}

    def _mine(self, event: Event) -> Iterable[Key]:
        if spec_of(event.object).get("nodeName") in self._nodes:
            yield from own_key(event)

    def reconcile(self, key: Key) -> float | None:
        pod = self._store.get(PODS, *key)
        if pod is None or self._is_down(str(spec_of(pod).get("nodeName"))) or is_finished(pod):
            return None
        if is_terminating(pod):
            return self._end(pod)
        if is_ready(pod) or (_asks(pod, UNREADY) and status_of(pod).get("phase") == "Running"):
            return None
        return self._begin(pod)

    def _is_down(self, name: str) -> bool:
        node = self._store.get(NODES, None, name)
        return name in self._down or (node is not None and _asks(node, DOWN))

    def _begin(self, pod: Obj) -> float | None:
        if self._waits(f"start {uid_of(pod)}"):
            return self._delay
        address = status_of(pod).get("podIP") or self._address(pod)
        now = timestamp(self._store.clock.now())
        self._store.patch_status(
            PODS, namespace_of(pod), name_of(pod), running(pod, self._host(pod), address, now)
        )
        return None

    def _end(self, pod: Obj) -> float | None:
        if _asks(pod, STUCK):
            return None
        if self._waits(f"end {uid_of(pod)}"):
            return self._delay
        self._store.delete(PODS, namespace_of(pod), name_of(pod), deletion.NOW)
        return None

    def _waits(self, what: str) -> bool:
        """True the first time, and until the delay has passed."""
        now = self._store.clock.now().timestamp()
        due = self._due.setdefault(what, now + self._delay)
        if now + 1e-6 < due:
            return True
        del self._due[what]
        return False

    def _host(self, pod: Obj) -> str:
        return self._nodes[spec_of(pod)["nodeName"]]

    def _address(self, pod: Obj) -> str:
        if spec_of(pod).get("hostNetwork"):
            return self._host(pod)
        self._next_address += 1
        return str(POD_NETWORK[self._next_address])

    def _beat(self) -> None:
        for name, address in self._nodes.items():
            if not self._is_down(name):
                beat(self._store, name, address, self._version, {LABEL: "true"})
        self._store.clock.call_later(_BEAT, self._beat)


def _asks(obj: Obj, annotation: str) -> bool:
    return annotation in annotations_of(obj)


def running(pod: Obj, host: str, address: str, now: str) -> Obj:
    """The status of a pod whose containers all run; they are ready unless it asks not to be."""
    ready = not _asks(pod, UNREADY)
    plain, telling = ("PodReadyToStartContainers", "Initialized"), ("Ready", "ContainersReady")
    kinds = (*plain, *telling)
    old = [c for c in status_of(pod).get("conditions") or () if c["type"] not in kinds]
    told = {**dict.fromkeys(plain, "True"), **dict.fromkeys(telling, "True" if ready else "False")}
    new = [{"type": kind, "status": status, "lastTransitionTime": now} for kind, status in told.items()]
    return {
        "phase": "Running",
        "hostIP": host,
        "hostIPs": [{"ip": host}],
        "podIP": address,
        "podIPs": [{"ip": address}],
        "startTime": now,
        "conditions": [*old, *new],
        "containerStatuses": [
            _container(container, now, ready) for container in spec_of(pod).get("containers") or ()
        ],
    }


def _container(container: Mapping[str, Any], now: str, ready: bool) -> Obj:
    image = container["image"]
    return {
        "name": container["name"],
        "image": image,
        "imageID": "simulated://" + hashlib.sha256(str(image).encode()).hexdigest(),
        "containerID": "simulated://" + container["name"],
        "ready": ready,
        "started": True,
        "restartCount": 0,
        "state": {"running": {"startedAt": now}},
    }


async def _exec(pod: Obj, container: str, argv: tuple[str, ...]) -> tuple[int, bytes, bytes]:
    """Nothing runs; only ``false`` fails, so that callers can see a failure too."""
    told = f"simulated: {' '.join(argv)} in {name_of(pod)}/{container} did nothing\n"
    return int(argv == ("false",)), told.encode(), b""


async def _logs(pod: Obj, container: str) -> bytes:
    node = lookup(pod, "spec", "nodeName")
    return f"simulated: {name_of(pod)}/{container} on {node} runs nothing and logs nothing\n".encode()
