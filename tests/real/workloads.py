"""Kubernetes objects of a fleet, each as small as the API takes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Object = dict[str, Any]
Labels = Mapping[str, str]


def deployment(
    namespace: str, name: str, replicas: int, containers: Mapping[str, str], labels: Labels | None = None
) -> Object:
    """Spread over the nodes that take pods; never on a gateway's."""
    spec = {
        **_pods(name, containers, labels or {}),
        "replicas": replicas,
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": 0}},
    }
    spec["template"]["spec"] |= {"affinity": _workers_only(), "topologySpreadConstraints": [_spread(name)]}
    return _named("apps/v1", "Deployment", namespace, name, spec)


def daemons(
    namespace: str, name: str, nodes: Labels, containers: Mapping[str, str], labels: Labels
) -> Object:
    spec = {**_pods(name, containers, labels), "updateStrategy": {"type": "OnDelete"}}
    spec["template"]["spec"] |= {"nodeSelector": dict(nodes)}
    return _named("apps/v1", "DaemonSet", namespace, name, spec)


def budget(namespace: str, name: str, labels: Labels, room: Mapping[str, int]) -> Object:
    spec = {"selector": {"matchLabels": dict(labels)}, **room}
    return _named("policy/v1", "PodDisruptionBudget", namespace, name, spec)


def service(namespace: str, name: str, labels: Labels, ports: list[Object]) -> Object:
    return _named("v1", "Service", namespace, name, {"selector": dict(labels), "ports": ports})


def _named(version: str, kind: str, namespace: str, name: str, spec: Object) -> Object:
    return {
        "apiVersion": version,
        "kind": kind,
        "metadata": {"name": name, "namespace": namespace},
        "spec": spec,
    }


def _pods(name: str, containers: Mapping[str, str], labels: Labels) -> Object:
    own = {"app": name, **labels}
    images = [{"name": container, "image": image} for container, image in containers.items()]
    return {
        "selector": {"matchLabels": {"app": own["app"]}},
        "template": {"metadata": {"labels": own}, "spec": {"containers": images}},
    }


def _workers_only() -> Object:
    term = {"matchExpressions": [{"key": "rackroll.io/gateway", "operator": "DoesNotExist"}]}
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}}


def _spread(name: str) -> Object:
    """A cordoned node is no place to spread to, or every second replacement would stay Pending."""
    return {
        "maxSkew": 1,
        "topologyKey": "kubernetes.io/hostname",
        "whenUnsatisfiable": "DoNotSchedule",
        "nodeTaintsPolicy": "Honor",
        "labelSelector": {"matchLabels": {"app": name}},
    }
