"""ServiceBGPStatus: what MetalLB >= 0.15 says about who announces what; a gate reads it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lab.kube.objects import Obj, lookup
from lab.kube.resource import Resource
from lab.kube.store import Store

STATUSES = Resource(
    "metallb.io", "v1beta1", "servicebgpstatuses", "ServiceBGPStatus", subresources=("status",)
)
_NODE = "metallb.io/node"


def publish(store: Store, namespace: str, node: str, heard: Mapping[tuple[str, str], frozenset[str]]) -> None:
    """This node's statuses are exactly ``heard``: (namespace, service) to the names of its peers."""
    served = next((r for r in store.resources() if r.key == STATUSES.key), None)
    if served is None:
        return
    present = {_subject(o): o for o in store.list(served, namespace, label_selector=f"{_NODE}={node}")}
    for gone in present.keys() - heard.keys():
        store.delete(served, namespace, present[gone]["metadata"]["name"])
    for service, peers in heard.items():
        status = {
            "node": node,
            "serviceNamespace": service[0],
            "serviceName": service[1],
            "peers": sorted(peers),
        }
        if service not in present:
            created = store.create(served, _named(node, service), namespace)
            store.patch_status(served, namespace, created["metadata"]["name"], status)
        elif present[service].get("status") != status:
            store.patch_status(served, namespace, present[service]["metadata"]["name"], status)


def _named(node: str, service: tuple[str, str]) -> dict[str, Any]:
    labels = {_NODE: node, "metallb.io/service-namespace": service[0], "metallb.io/service-name": service[1]}
    return {
        "apiVersion": STATUSES.api_version,
        "metadata": {"generateName": "bgp-", "labels": labels},
        "spec": {},
    }


def _subject(item: Obj) -> tuple[str, str]:
    labels = lookup(item, "metadata", "labels") or {}
    return labels.get("metallb.io/service-namespace", ""), labels.get("metallb.io/service-name", "")
