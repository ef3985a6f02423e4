"""The Node object and its Lease, as this node's kubelet keeps them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from lab.kube.heartbeats import renew
from lab.kube.objects import lookup, status_of, timestamp, with_condition
from lab.kube.resource import NODES, PODS
from lab.kube.store import Store
from lab.node.machine import Machine

_SIZE = {"cpu": "8", "memory": "16Gi", "pods": "110"}  # simulated: the hosts share one machine
_BOOT_ID = (
    "/proc/sys/kernel/random/boot_id"  # so do namespace hosts their boot; a virtual machine has its own
)


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


def _images(store: Store, node: str, known: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What ever ran here, as a kubelet that collects no garbage lists it; the sizes are not known and said as 0."""
    names = {name for image in known for name in image["names"]}
    for pod in store.list(PODS):
        if lookup(pod, "spec", "nodeName") == node:
            rows = status_of(pod).get("containerStatuses") or ()
            names |= {row["image"] for row in rows if "running" in row["state"]}
    return [{"names": [name], "sizeBytes": 0} for name in sorted(names)]


def _status(store: Store, machine: Machine, version: str) -> dict[str, Any]:
    """All of it when something changed; a reboot has, or a Ready of the boot before would be taken for this one's."""
    live = store.require(NODES, None, machine.name)
    old = live.get("status") or {}
    was_ready = any(c["type"] == "Ready" and c["status"] == "True" for c in old.get("conditions") or ())
    images = _images(store, machine.name, old.get("images") or ())
    boot, info = machine.path(_BOOT_ID).read_text().strip(), old.get("nodeInfo", {})
    if was_ready and (info.get("kubeletVersion"), info.get("bootID")) == (version, boot):
        return {} if images == old.get("images") else {"images": images}
    ready = _ready(timestamp(store.clock.now()))
    return {
        "addresses": [
            {"type": "InternalIP", "address": machine.fabric_address},
            {"type": "Hostname", "address": machine.name},
        ],
        "capacity": _SIZE,
        "allocatable": _SIZE,
        "conditions": with_condition(old.get("conditions") or (), ready),
        "images": images,
        "nodeInfo": {
            "bootID": boot,
            "kubeletVersion": version,
            "containerRuntimeVersion": "lab://simulated",
            "osImage": "rackroll lab host (simulated node, real namespaces)",
            "operatingSystem": "linux",
            "architecture": "amd64",
        },
    }


def _ready(now: str) -> dict[str, str]:
    return {
        "type": "Ready",
        "status": "True",
        "reason": "KubeletReady",
        "message": "lab node agent is posting ready status",
        "lastHeartbeatTime": now,
        "lastTransitionTime": now,
    }
