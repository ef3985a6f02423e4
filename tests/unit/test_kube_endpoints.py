"""A pod that goes takes its endpoint along, also when nothing about it changed before it went."""

from __future__ import annotations

from lab.kube.collection import Event
from lab.kube.controllers.endpoints import EndpointSlices
from lab.kube.deletion import NOW
from lab.kube.resource import ENDPOINT_SLICES, PODS, SERVICES
from lab.kube.store import Store


def test_a_deleted_pod_leaves_the_slice_even_if_it_looked_the_same_to_its_end() -> None:
    store = Store()
    controller = EndpointSlices(store)
    seen: list[Event] = []
    store.subscribe(PODS, seen.append)
    spec = {"selector": {"app": "gw"}, "ports": [{"port": 80}]}
    store.create(SERVICES, {"metadata": {"name": "gw"}, "spec": spec}, "shop")
    pod = {"metadata": {"name": "gw-1", "labels": {"app": "gw"}}, "spec": {"nodeName": "n1"}}
    store.create(PODS, pod, "shop")
    store.patch_status(PODS, "shop", "gw-1", {"podIP": "10.244.1.2"})
    controller.reconcile(("shop", "gw"))
    assert store.list(ENDPOINT_SLICES)[0]["endpoints"]
    store.delete(PODS, "shop", "gw-1", NOW)
    for key in controller.watches[PODS](seen[-1]):
        controller.reconcile(key)
    assert store.list(ENDPOINT_SLICES)[0]["endpoints"] == []
