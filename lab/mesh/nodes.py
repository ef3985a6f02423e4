"""The drill's pods on the nodes of the simulated cluster: what the lab's kubelets ask before they pretend a pod."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from lab.kube.collection import Event, EventType
from lab.kube.errors import ApiError
from lab.kube.objects import Obj, labels_of, name_of, namespace_of, spec_of, uid_of
from lab.kube.resource import ENDPOINT_SLICES, PODS, SECRETS
from lab.kube.store import Store
from lab.mesh.claims import KeptVolumes
from lab.mesh.podrun import MeshRun, Ties
from lab.mesh.spoken import Spoken
from lab.mesh.stand_ins import SIGNER_SERVICE, StandIn, stand_in
from lab.mesh.surroundings import Part, Pod, Surroundings
from lab.node.facts import Endpoint, endpoints
from lab.node.kubelet import Programs
from lab.node.machine import Machine
from lab.node.podlife import Outside
from lab.node.podspec import PodSpec
from lab.real.podrun import Place, folder_of
from rollout.errors import RackrollError
from rollout.model.site import Site

_SERVICE = "kubernetes.io/service-name"


class Tokenless:
    """The simulated store as volumes see it: service account tokens have nobody here who would check them."""

    def __init__(self, store: Store) -> None:
        self.get = store.get

    def call(self, method: str, path: str, body: object = None) -> Obj:
        del body
        raise ApiError(f"{method} {path}: the drill's pods get no tokens")


class MeshNodes:
    """One for all nodes of a lab."""

    def __init__(self, store: Store, site: Site, folder: Path) -> None:
        self._store = store
        self._folder = folder
        self._racks = {node.name: node.rack for node in site.nodes}
        self._runs: dict[str, MeshRun] = {}
        self._ties = Ties(self.around, Spoken(store).hear)
        self._due = False
        store.subscribe(ENDPOINT_SLICES, self._moved)
        store.subscribe(PODS, self._gone)

    def programs(self, machine: Machine) -> Programs:
        """What a kubelet asks of each pod that is bound to its node."""

        def begin(pod: Obj, spec: PodSpec, address: str, out: Outside) -> MeshRun | None:
            role = stand_in(pod, lambda space, name: self._store.get(SECRETS, space, name) is not None)
            return (
                None
                if role is None
                else self._begin(machine, pod, spec, Place(machine, address, None), role, out)
            )

        return begin

    def _begin(
        self, machine: Machine, pod: Obj, spec: PodSpec, place: Place, role: StandIn, out: Outside
    ) -> MeshRun:
        volumes = KeptVolumes(Tokenless(self._store), machine, pod, folder_of(spec))
        shown = replace(spec, real=role.real, proxy=None, stand_in=role.told)
        run = MeshRun(shown, pod, place, volumes, out, role, self._ties)
        self._runs[spec.uid] = run
        if role.part is Part.VOLUMES:
            self._store.runtimes.mounts[spec.uid] = lambda volume, name: _mounted(volumes, volume, name)
        return run

    def _moved(self, _event: Event) -> None:
        """Many changes, one look; a note only, for something is being stored."""
        if self._runs and not self._due:
            self._due = True
            asyncio.get_running_loop().call_soon(self._surround)

    def _surround(self) -> None:
        self._due = False
        for run in self._runs.values():
            with contextlib.suppress(
                OSError, RackrollError
            ):  # not there yet: it will start with the current one
                run.surround()

    def _gone(self, event: Event) -> None:
        if event.type is EventType.DELETED:
            self._runs.pop(uid_of(event.object), None)
            self._store.runtimes.mounts.pop(uid_of(event.object), None)

    def around(self, pod: Obj, role: StandIn, address: str) -> Surroundings:
        """Peers are the other ready pods behind the Service that is called as the pod's ``app`` label says."""
        space, app = namespace_of(pod) or "", labels_of(pod).get("app", "")
        peers = [self._peer(space, one) for one in self._ready(app, space) if one.pod != name_of(pod)]
        signers = tuple(one.address for one in self._ready(SIGNER_SERVICE[role.mesh], None))
        known = tuple(peer for peer in peers if peer is not None)
        return Surroundings(self._pod(pod, address), role.mesh, role.part, known, signers)

    def _ready(self, service: str, namespace: str | None) -> Iterator[Endpoint]:
        selector = f"{_SERVICE}={service}" if service else f"{_SERVICE}=-"
        for item in self._store.list(ENDPOINT_SLICES, namespace, label_selector=selector):
            yield from (one for one in endpoints(item) if one.ready)

    def _peer(self, namespace: str, endpoint: Endpoint) -> Pod | None:
        found = self._store.get(PODS, namespace, endpoint.pod)
        return None if found is None else self._pod(found, endpoint.address)

    def _pod(self, pod: Obj, address: str) -> Pod:
        spec: dict[str, Any] = dict(spec_of(pod))
        node = str(spec.get("nodeName") or "")
        account = str(spec.get("serviceAccountName") or "default")
        return Pod(name_of(pod), namespace_of(pod) or "", account, address, node, self._racks.get(node, ""))


def _mounted(volumes: KeptVolumes, volume: str, name: str) -> bytes | None:
    try:
        return volumes.machine.path(f"{volumes.folder}/{volume}/{name}").read_bytes()
    except (OSError, RackrollError):
        return None
