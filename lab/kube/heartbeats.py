"""A node's sign of life: its Node object, Ready condition and Lease."""

from __future__ import annotations

from collections.abc import Mapping

from lab.kube.objects import Obj, is_true, micro_timestamp, status_of, timestamp, with_condition
from lab.kube.resource import LEASES, NODES
from lab.kube.store import Store

LEASE_NAMESPACE = "kube-node-lease"
LEASE_SECONDS = 40


def beat(store: Store, name: str, address: str, version: str, labels: Mapping[str, str]) -> None:
    """Register the node if it is new, say that it is Ready, renew its Lease."""
    node = store.get(NODES, None, name) or store.create(NODES, _node(name, labels))
    if not is_true(node, "Ready") or "nodeInfo" not in status_of(node):
        store.patch_status(NODES, None, name, _status(store, node, address, version))
    renew(store, name)


def renew(store: Store, name: str) -> None:
    spec = {
        "holderIdentity": name,
        "leaseDurationSeconds": LEASE_SECONDS,
        "renewTime": micro_timestamp(store.clock.now()),
    }
    if store.get(LEASES, LEASE_NAMESPACE, name) is None:
        store.create(LEASES, {"metadata": {"name": name, "namespace": LEASE_NAMESPACE}, "spec": spec})
    else:
        store.patch(LEASES, LEASE_NAMESPACE, name, {"spec": spec})


def _node(name: str, labels: Mapping[str, str]) -> Obj:
    standard = {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"}
    return {"metadata": {"name": name, "labels": {**standard, **labels}}, "spec": {}}


def _status(store: Store, node: Obj, address: str, version: str) -> Obj:
    now = timestamp(store.clock.now())
    ready = {
        "type": "Ready",
        "status": "True",
        "reason": "KubeletReady",
        "message": "simulated kubelet",
        "lastHeartbeatTime": now,
        "lastTransitionTime": now,
    }
    return {
        "addresses": [
            {"type": "InternalIP", "address": address},
            {"type": "Hostname", "address": node["metadata"]["name"]},
        ],
        "capacity": {"cpu": "8", "memory": "16Gi", "pods": "110"},
        "allocatable": {"cpu": "8", "memory": "16Gi", "pods": "110"},
        "conditions": with_condition(status_of(node).get("conditions") or (), ready),
        "nodeInfo": {
            "kubeletVersion": version,
            "containerRuntimeVersion": "simulated://0",
            "osImage": "simulated",
            "operatingSystem": "linux",
            "architecture": "amd64",
            "kernelVersion": "simulated",
        },
    }
