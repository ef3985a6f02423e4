"""EndpointSlices of Services with a selector: who could answer, and whether they are ready, serving, terminating."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from lab.kube.collection import Event, EventType
from lab.kube.controllers.loop import Key, ToKeys, own_key, owner_key
from lab.kube.objects import (
    Obj,
    is_terminating,
    labels_of,
    lookup,
    name_of,
    namespace_of,
    owner_reference,
    spec_of,
    status_of,
    uid_of,
)
from lab.kube.pods import is_finished, is_ready
from lab.kube.resource import ENDPOINT_SLICES, NODES, PODS, SERVICES, Resource
from lab.kube.selectors import from_map
from lab.kube.store import Store

_MANAGED_BY = "endpointslice-controller.k8s.io"
_ZONE = "topology.kubernetes.io/zone"
_LARGEST = 1000


class EndpointSlices:
    def __init__(self, store: Store) -> None:
        self._store = store

    @property
    def watches(self) -> Mapping[Resource, ToKeys]:
        return {SERVICES: own_key, PODS: self._behind, ENDPOINT_SLICES: owner_key("Service")}

    def _behind(self, event: Event) -> Iterable[Key]:
        """The Services whose selector matches the pod, before or after the change."""
        unmoved = event.old is not None and _view(event.old) == _view(event.object)
        if event.type is EventType.MODIFIED and unmoved:
            return
        for service in self._store.list(SERVICES, namespace_of(event.object)):
            selector = spec_of(service).get("selector")
            both = [obj for obj in (event.object, event.old) if obj is not None]
            if selector and any(from_map(selector).matches(labels_of(obj)) for obj in both):
                yield (namespace_of(service) or "", name_of(service))

    def reconcile(self, key: Key) -> float | None:
        service = self._store.get(SERVICES, *key)
        if service is None or is_terminating(service) or not spec_of(service).get("selector"):
            return None
        endpoints, ports = self._endpoints(service)
        chunks = [endpoints[at : at + _LARGEST] for at in range(0, len(endpoints), _LARGEST)] or [[]]
        wanted = {_slice_name(service, index): chunk for index, chunk in enumerate(chunks)}
        for name, chunk in wanted.items():
            self._write(service, name, chunk, ports)
        for ref in self._store.owners.dependents(uid_of(service)):
            if ref.resource == ENDPOINT_SLICES and ref.name not in wanted:
                self._store.delete(ENDPOINT_SLICES, ref.namespace, ref.name)
        return None

    def _write(self, service: Obj, name: str, endpoints: list[Obj], ports: list[Obj]) -> None:
        where = namespace_of(service)
        body = {"addressType": "IPv4", "endpoints": endpoints, "ports": ports}
        live = self._store.get(ENDPOINT_SLICES, where, name)
        if live is not None:
            self._store.update(ENDPOINT_SLICES, {**live, **body})
            return
        labels = {
            **labels_of(service),
            "kubernetes.io/service-name": name_of(service),
            "endpointslice.kubernetes.io/managed-by": _MANAGED_BY,
        }
        meta = {
            "name": name,
            "namespace": where,
            "labels": labels,
            "ownerReferences": [owner_reference(service)],
        }
        self._store.create(ENDPOINT_SLICES, {"metadata": meta, **body})

    def _endpoints(self, service: Obj) -> tuple[list[Obj], list[Obj]]:
        selector = from_map(spec_of(service)["selector"])
        pods = self._store.list(PODS, namespace_of(service), label_selector=selector)
        alive = [pod for pod in pods if status_of(pod).get("podIP") and not is_finished(pod)]
        early = bool(spec_of(service).get("publishNotReadyAddresses"))
        return [self._endpoint(pod, early) for pod in alive], _ports(service, alive)

    def _endpoint(self, pod: Obj, early: bool) -> Obj:
        serving, leaving = is_ready(pod), is_terminating(pod)
        endpoint: Obj = {
            "addresses": [status_of(pod)["podIP"]],
            "conditions": {
                "ready": early or (serving and not leaving),
                "serving": serving,
                "terminating": leaving,
            },
            "targetRef": {
                "kind": "Pod",
                "namespace": namespace_of(pod),
                "name": name_of(pod),
                "uid": uid_of(pod),
            },
        }
        node = spec_of(pod).get("nodeName")
        if node:
            endpoint["nodeName"] = node
            found = self._store.get(NODES, None, node)
            zone = labels_of(found).get(_ZONE) if found else None
            endpoint |= {"zone": zone} if zone else {}
        return endpoint


def _view(pod: Obj) -> tuple[Any, ...]:
    """What of a pod an endpoint shows."""
    address, node = status_of(pod).get("podIP"), spec_of(pod).get("nodeName")
    return (labels_of(pod), address, node, is_ready(pod), is_terminating(pod), is_finished(pod))


def _ports(service: Obj, pods: Sequence[Obj]) -> list[Obj]:
    found = []
    for port in spec_of(service).get("ports") or ():
        number = _number(port.get("targetPort", port["port"]), port, pods)
        if number is not None:
            row: Obj = {"name": port.get("name", ""), "port": number, "protocol": port.get("protocol", "TCP")}
            found.append(row | ({"appProtocol": port["appProtocol"]} if port.get("appProtocol") else {}))
    return found


def _number(wanted: int | str, port: Mapping[str, Any], pods: Sequence[Obj]) -> int | None:
    """A named target port, looked up in the first pod that has it; None if none does."""
    if isinstance(wanted, int):
        return wanted
    for pod in pods:
        for container in lookup(pod, "spec", "containers") or ():
            for declared in container.get("ports") or ():
                if declared.get("name") == wanted:
                    return int(declared["containerPort"])
    return None if pods else int(port["port"])


def _slice_name(service: Obj, index: int) -> str:
    digest = hashlib.sha256(f"{uid_of(service)}/{index}".encode()).hexdigest()
    return f"{name_of(service)}-{digest[:5]}"
