"""The Node object and its Lease, as this node's kubelet keeps them."""

from __future__ import annotations

from typing import Any

from lab.kube.heartbeats import renew
from lab.kube.objects import timestamp, with_condition
from lab.kube.resource import NODES
from lab.kube.store import Store
from lab.node.machine import Machine

_SIZE = {"cpu": "8", "memory": "16Gi", "pods": "110"}  # simulated: the hosts share one machine


def heartbeat(store: Store, machine: Machine, version: str) -> None:
    """Register the node if it is new, say that it is Ready, renew its lease."""
    if store.get(NODES, None, machine.name) is None:
        store.create(NODES, _node(machine))
    store.patch_status(NODES, None, machine.name, _status(store, machine, version))
    renew(store, machine.name)


def _node(machine: Machine) -> dict[str, Any]:
    labels = {
        "kubernetes.io/hostname": machine.name,
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64",
    }
    network = f"10.244.{machine.index}.0/24"
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": machine.name, "labels": labels},
        "spec": {"podCIDR": network, "podCIDRs": [network]},
    }


def _status(store: Store, machine: Machine, version: str) -> dict[str, Any]:
    live = store.require(NODES, None, machine.name)
    old = live.get("status") or {}
    was_ready = any(c["type"] == "Ready" and c["status"] == "True" for c in old.get("conditions") or ())
    if was_ready and old.get("nodeInfo", {}).get("kubeletVersion") == version:
        return {}
    now = timestamp(store.clock.now())
    ready = {
        "type": "Ready",
        "status": "True",
        "reason": "KubeletReady",
        "message": "lab node agent is posting ready status",
        "lastHeartbeatTime": now,
        "lastTransitionTime": now,
    }
    return {
        "addresses": [
            {"type": "InternalIP", "address": machine.fabric_address},
            {"type": "Hostname", "address": machine.name},
        ],
        "capacity": _SIZE,
        "allocatable": _SIZE,
        "conditions": with_condition(old.get("conditions") or (), ready),
        "nodeInfo": {
            "kubeletVersion": version,
            "containerRuntimeVersion": "lab://simulated",
            "osImage": "rackroll lab host (simulated node, real namespaces)",
            "operatingSystem": "linux",
            "architecture": "amd64",
        },
    }
