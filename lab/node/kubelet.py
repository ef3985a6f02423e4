"""The kubelet's loop on one node: the Node and its Lease, and one :class:`PodRun` per pod bound here."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from yaml import YAMLError

from lab.kube.collection import Event
from lab.kube.deletion import Options
from lab.kube.errors import ApiError, NotFound
from lab.kube.objects import Obj, is_terminating, lookup, timestamp, uid_of
from lab.kube.resource import ENDPOINT_SLICES, PODS
from lab.kube.store import Store
from lab.node import bootstrap, nodeobject
from lab.node.facts import Endpoint, endpoints
from lab.node.machine import Machine
from lab.node.phases import SIMULATED, Addresses, Life, pod_status
from lab.node.podlife import Outside, PodLife
from lab.node.podrun import PodRun
from lab.node.podspec import PodSpec, ProxyKind, read_pod
from lab.node.proxyrun import EnvoyRun
from lab.node.wake import Wake
from rollout.errors import RackrollError

_log = logging.getLogger(__name__)
_HEARTBEAT = 10.0
_RETRY = 1.0


@dataclass(frozen=True, slots=True)
class Backend:
    """The Service every lab gateway routes to: the site's demo application."""

    namespace: str
    service: str

    @property
    def cluster(self) -> str:
        return f"{self.service}.{self.namespace}"


Programs = Callable[[Obj, PodSpec, str, Outside], PodLife | None]
"""(pod, what it asks, its address, whom to tell) -> its run where its programs are run for real, else None."""


@dataclass(slots=True)
class _Bound:
    run: PodLife
    task: asyncio.Task[None]


class Kubelet:
    def __init__(
        self,
        store: Store,
        machine: Machine,
        version: str,
        backend: Backend,
        ports: tuple[int, ...],
        programs: Programs = lambda *_: None,
    ) -> None:
        self._programs = programs
        self._store = store
        self._machine = machine
        self._version = version
        self._backend = backend
        self._ports = ports
        self._pods: dict[str, _Bound] = {}
        self._wake = Wake()
        self._endpoints: bootstrap.Config = {}
        self._next_host = 1

    def envoy_of(self, uid: str) -> EnvoyRun | None:
        """The Envoy of a pod that runs here, for exec and logs."""
        bound = self._pods.get(uid)
        return bound.run.envoy if bound else None

    def log_of(self, uid: str, container: str) -> Path | None:
        """Where that container writes; None for one that is not here or writes nothing."""
        bound = self._pods.get(uid)
        return bound.run.log(container) if bound else None

    async def run(self) -> None:
        self._wake.on(self._store, (PODS,), self._is_mine)
        self._wake.on(self._store, (ENDPOINT_SLICES,), self._is_backend)
        self._wake.set()
        beat = 0.0
        loop = asyncio.get_running_loop()
        try:
            while True:
                if loop.time() >= beat and self._machine.alive:
                    beat = loop.time() + (_HEARTBEAT if self._beat() else _RETRY)
                self._follow_backend()
                self._reconcile()
                await self._wake.wait(max(beat - loop.time(), _RETRY))
        finally:
            await self._stop_all()

    def _beat(self) -> bool:
        """Whether the API took the sign of life; one that is away is asked again soon."""
        try:
            nodeobject.heartbeat(self._store, self._machine, self._version)
        except (ApiError, RackrollError, OSError) as error:  # but for the first, the node has died
            _log.warning("heartbeat of %s: %s", self._machine.name, error)
            return False
        return True

    def _is_mine(self, event: Event) -> bool:
        return bool(lookup(event.object, "spec", "nodeName") == self._machine.name)

    def _is_backend(self, event: Event) -> bool:
        return bool(event.object["metadata"].get("namespace") == self._backend.namespace)

    def _follow_backend(self) -> None:
        document = bootstrap.endpoints(self._backend.cluster, self._backend_endpoints())
        if document == self._endpoints:
            return
        self._endpoints = document
        for bound in self._pods.values():
            if bound.run.envoy is not None and bound.run.spec.proxy is not None:
                self._rewrite(bound.run)

    def _rewrite(self, run: PodLife) -> None:
        assert run.envoy is not None
        try:
            run.envoy.follow(self._endpoints)
        except OSError as error:  # its folder is not there yet: it will start with the current document
            _log.debug("endpoints of %s: %s", run.spec.name, error)

    def _backend_endpoints(self) -> Iterable[Endpoint]:
        selector = f"kubernetes.io/service-name={self._backend.service}"
        found = self._store.list(ENDPOINT_SLICES, self._backend.namespace, label_selector=selector)
        return [endpoint for item in found for endpoint in endpoints(item)]

    def _reconcile(self) -> None:
        mine = self._store.list(PODS, field_selector=f"spec.nodeName={self._machine.name}")
        present = {uid_of(pod): pod for pod in mine}
        for uid, pod in present.items():
            bound = self._pods.get(uid)
            if bound is None and lookup(pod, "status", "phase") not in ("Succeeded", "Failed"):
                bound = self._admit(pod)
            if bound is not None and is_terminating(pod):
                bound.run.end(float(pod["metadata"].get("deletionGracePeriodSeconds") or 0))
        for uid in self._pods.keys() - present.keys():
            self._pods[uid].run.end(0.0)

    def _admit(self, pod: dict[str, Any]) -> _Bound | None:
        """Begin the pod's run; one that cannot be understood fails, and takes no other pod along."""
        try:
            bound = self._pods[uid_of(pod)] = self._begin(pod)
        except (KeyError, TypeError, ValueError, YAMLError) as error:
            meta, reason = pod["metadata"], f"the lab's kubelet cannot read it: {error!r}"
            status = {"phase": "Failed", "reason": "InvalidPod", "message": reason}
            self._store.patch_status(PODS, meta["namespace"], meta["name"], status)
            return None
        return bound

    def _begin(self, pod: dict[str, Any]) -> _Bound:
        spec = read_pod(pod)
        address = self._pick_address(pod, spec)
        out = Outside(self._report, lambda: self._endpoints)
        run = self._programs(pod, spec, address, out) or PodRun(
            spec, self._machine, address, self._envoy(spec, address), out
        )
        return _Bound(run, asyncio.create_task(self._lead(run), name=f"pod {spec.namespace}/{spec.name}"))

    def _envoy(self, spec: PodSpec, address: str) -> EnvoyRun | None:
        if spec.proxy is None:
            return None
        place = bootstrap.Place(spec.name, self._machine.name, address, f"/run/rackroll/{spec.uid[:13]}")
        if spec.proxy.kind is ProxyKind.GATEWAY:
            config = bootstrap.gateway(place, self._ports, self._backend.cluster)
        else:
            version = dict(spec.labels).get("version", "")
            config = bootstrap.sidecar(place, spec.app_ports, {"version": version, "istio": spec.proxy.istio})
        return EnvoyRun(self._machine, place, spec.proxy.istio, config)

    def _pick_address(self, pod: dict[str, Any], spec: PodSpec) -> str:
        """The pod's address of an earlier daemon if it has one, else the next free one: reuse comes last."""
        if spec.host_network:
            return self._machine.fabric_address
        known = lookup(pod, "status", "podIP")
        if isinstance(known, str):
            return known
        used = {bound.run.address for bound in self._pods.values()}
        for _ in range(253):
            self._next_host = self._next_host % 253 + 1
            address = f"10.244.{self._machine.index}.{self._next_host + 1}"
            if address not in used:
                break
        return address

    async def _lead(self, run: PodLife) -> None:
        """Carry one pod to its end, then let go of it and take its object away."""
        spec = run.spec
        try:
            await run.run()
        finally:
            self._pods.pop(spec.uid, None)
        await self._forget(spec)

    async def _forget(self, spec: PodSpec) -> None:
        """An API that is away is asked until it answers, or the object would outlive its pod."""
        while (live := self._store.get(PODS, spec.namespace, spec.name)) and uid_of(live) == spec.uid:
            try:
                self._store.delete(PODS, spec.namespace, spec.name, Options(grace=0, uid=spec.uid))
                return
            except NotFound:
                return
            except ApiError as error:
                _log.warning("removing %s/%s: %s", spec.namespace, spec.name, error)
                await asyncio.sleep(_RETRY)

    def _report(self, spec: PodSpec, life: Life) -> None:
        live = self._store.get(PODS, spec.namespace, spec.name)
        if live is None or uid_of(live) != spec.uid or not self._machine.alive:
            return  # nobody reports from a dead node: its pods look as they last did
        address = self._pods[spec.uid].run.address if spec.uid in self._pods else ""
        places = Addresses(address, self._machine.fabric_address)
        now = timestamp(self._store.clock.now())
        try:
            self._store.patch_status(
                PODS, spec.namespace, spec.name, pod_status(spec, life, places, live.get("status") or {}, now)
            )
            told = "; ".join(filter(None, (",".join(spec.simulated), spec.stand_in)))
            if told and SIMULATED not in (live["metadata"].get("annotations") or {}):
                mark = {"metadata": {"annotations": {SIMULATED: told}}}
                self._store.patch(PODS, spec.namespace, spec.name, mark)
        except ApiError as error:
            _log.warning("status of %s/%s: %s", spec.namespace, spec.name, error)

    async def _stop_all(self) -> None:
        tasks = [bound.task for bound in self._pods.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
