"""The columns of each built-in kind, as the real API server prints them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from lab.kube.api import cells
from lab.kube.objects import Obj

Cell = str | int | bool | None


@dataclass(frozen=True, slots=True)
class Column:
    """``priority`` above 0 shows only with ``-o wide``."""

    name: str
    cell: Callable[[Obj, datetime], Cell]
    type: str = "string"
    priority: int = 0


def _col(name: str, value: Callable[[Obj], Cell], kind: str = "string", priority: int = 0) -> Column:
    return Column(name, lambda obj, _now: value(obj), kind, priority)


def _path(name: str, *path: str, kind: str = "string", priority: int = 0) -> Column:
    empty: Cell = 0 if kind == "integer" else "<none>"
    return _col(name, lambda obj: cells.plain(obj, path, empty), kind, priority)


_NAME = _col("Name", lambda obj: str(obj["metadata"]["name"]))
_AGE = Column("Age", cells.age)
_CONTAINERS = (
    _col("Containers", cells.template_containers, priority=1),
    _col("Images", cells.template_images, priority=1),
    _col("Selector", cells.selector, priority=1),
)


def _count(name: str, *path: str) -> Column:
    return _path(name, *path, kind="integer")


COLUMNS: dict[tuple[str, str], tuple[Column, ...]] = {
    ("", "Pod"): (
        _NAME,
        _col("Ready", cells.pod_ready),
        _col("Status", cells.pod_status),
        Column("Restarts", lambda obj, _now: str(cells.pod_restarts(obj))),
        _AGE,
        _path("IP", "status", "podIP", priority=1),
        _path("Node", "spec", "nodeName", priority=1),
        _path("Nominated Node", "status", "nominatedNodeName", priority=1),
        _col("Readiness Gates", lambda _obj: "<none>", priority=1),
    ),
    ("", "Node"): (
        _NAME,
        _col("Status", cells.node_status),
        _col("Roles", cells.node_roles),
        _AGE,
        _path("Version", "status", "nodeInfo", "kubeletVersion"),
        _col("Internal-IP", cells.node_address("InternalIP"), priority=1),
        _col("External-IP", cells.node_address("ExternalIP"), priority=1),
        _path("OS-Image", "status", "nodeInfo", "osImage", priority=1),
        _path("Kernel-Version", "status", "nodeInfo", "kernelVersion", priority=1),
        _path("Container-Runtime", "status", "nodeInfo", "containerRuntimeVersion", priority=1),
    ),
    ("", "Service"): (
        _NAME,
        _path("Type", "spec", "type"),
        _path("Cluster-IP", "spec", "clusterIP"),
        _col("External-IP", cells.service_external),
        _col("Port(s)", cells.service_ports),
        _AGE,
        _col("Selector", cells.service_selector, priority=1),
    ),
    ("", "Namespace"): (_NAME, _path("Status", "status", "phase"), _AGE),
    ("", "Secret"): (_NAME, _path("Type", "type"), _col("Data", cells.size("data"), "integer"), _AGE),
    ("", "ConfigMap"): (_NAME, _col("Data", cells.size("data"), "integer"), _AGE),
    ("", "ServiceAccount"): (_NAME, _col("Secrets", cells.size("secrets"), "integer"), _AGE),
    ("", "Event"): (
        Column("Last Seen", cells.last_seen),
        _path("Type", "type"),
        _path("Reason", "reason"),
        _col("Object", cells.involved),
        _path("Message", "message"),
    ),
    ("apps", "Deployment"): (
        _NAME,
        _col("Ready", cells.ready_of("replicas", "readyReplicas")),
        _count("Up-to-date", "status", "updatedReplicas"),
        _count("Available", "status", "availableReplicas"),
        _AGE,
        *_CONTAINERS,
    ),
    ("apps", "ReplicaSet"): (
        _NAME,
        _count("Desired", "spec", "replicas"),
        _count("Current", "status", "replicas"),
        _count("Ready", "status", "readyReplicas"),
        _AGE,
        *_CONTAINERS,
    ),
    ("apps", "DaemonSet"): (
        _NAME,
        _count("Desired", "status", "desiredNumberScheduled"),
        _count("Current", "status", "currentNumberScheduled"),
        _count("Ready", "status", "numberReady"),
        _count("Up-to-date", "status", "updatedNumberScheduled"),
        _count("Available", "status", "numberAvailable"),
        _col("Node Selector", cells.node_selector),
        _AGE,
        *_CONTAINERS,
    ),
    ("apps", "StatefulSet"): (_NAME, _col("Ready", cells.ready_of("replicas", "readyReplicas")), _AGE),
    ("batch", "Job"): (
        _NAME,
        _col("Status", cells.job_status),
        _col("Completions", cells.job_completions),
        Column("Duration", cells.job_duration),
        _AGE,
    ),
    ("policy", "PodDisruptionBudget"): (
        _NAME,
        _col("Min Available", cells.or_na("minAvailable")),
        _col("Max Unavailable", cells.or_na("maxUnavailable")),
        _count("Allowed Disruptions", "status", "disruptionsAllowed"),
        _AGE,
    ),
    ("discovery.k8s.io", "EndpointSlice"): (
        _NAME,
        _path("AddressType", "addressType"),
        _col("Ports", cells.slice_ports),
        _col("Endpoints", cells.slice_addresses),
        _AGE,
    ),
    ("coordination.k8s.io", "Lease"): (_NAME, _path("Holder", "spec", "holderIdentity"), _AGE),
    ("apiextensions.k8s.io", "CustomResourceDefinition"): (
        _NAME,
        _path("Created At", "metadata", "creationTimestamp"),
    ),
}
