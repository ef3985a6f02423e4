"""A simulated cluster without HTTP, under a clock that moves only when told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lab.kube.admission import install
from lab.kube.catalog import Catalog
from lab.kube.clock import VirtualClock
from lab.kube.controllers import all_controllers
from lab.kube.controllers.loop import ControlLoop
from lab.kube.kubelet import SimulatedKubelet
from lab.kube.objects import Obj, name_of, status_of
from lab.kube.resource import NAMESPACES, PODS, Resource
from lab.kube.store import Store

PAUSE = 0.5
"""Seconds between two looks: longer than the kubelet's delay."""


class World:
    def __init__(self, nodes: Mapping[str, str] | None = None) -> None:
        self.clock = VirtualClock()
        self.store = Store(self.clock)
        self.catalog = Catalog(self.store)
        self.loop = ControlLoop(self.store)
        install(self.store)
        for controller in all_controllers(self.store):
            self.loop.add(controller)
        for name in ("default", "kube-node-lease"):
            self.store.create(NAMESPACES, {"metadata": {"name": name}})
        addresses = {f"n{n}": f"10.0.0.{n}" for n in range(1, 4)} if nodes is None else nodes
        self.kubelet = SimulatedKubelet(self.store, addresses, "v1.35.0", delay=0.1)
        self.kubelet.start(self.loop)
        self.loop.settle()

    def pass_time(self, seconds: float = 3.0) -> None:
        """Let controllers and kubelets work, step by step."""
        for _ in range(round(seconds / PAUSE)):
            self.loop.settle()
            self.clock.advance(PAUSE)
        self.loop.settle()

    def make(self, resource: Resource, body: Obj, seconds: float = 3.0) -> Obj:
        made = self.store.create(resource, body)
        self.pass_time(seconds)
        return self.get(resource, name_of(made), made["metadata"].get("namespace"))

    def get(self, resource: Resource, name: str, namespace: str | None = "default") -> Obj:
        return self.store.require(resource, namespace if resource.namespaced else None, name)

    def pods(self, app: str, namespace: str = "default") -> list[Obj]:
        return self.store.list(PODS, namespace, label_selector=f"app={app}")

    def nodes_of(self, app: str) -> list[str]:
        return sorted(str(pod["spec"].get("nodeName")) for pod in self.pods(app))


def workload(kind: str, name: str, image: str = "example.com/a:1", **spec: Any) -> Obj:
    """``pod`` in ``spec`` goes into the pod's spec, ``marks`` into its labels."""
    pod, marks = spec.pop("pod", {}), spec.pop("marks", {})
    labels = {"app": name}
    containers = {"containers": [{"name": "main", "image": image}]}
    template = {"metadata": {"labels": {**labels, **marks}}, "spec": {**containers, **pod}}
    body = {"selector": {"matchLabels": labels}, "template": template, **spec}
    return {"metadata": {"name": name, "namespace": "default"}, "kind": kind, "spec": body}


def conditions(obj: Obj) -> dict[str, str]:
    return {c["type"]: c["status"] for c in status_of(obj).get("conditions") or ()}
