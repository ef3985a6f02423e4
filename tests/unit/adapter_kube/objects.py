"""Objects as the API gives them, for this room."""

from __future__ import annotations

from typing import Any

EXCLUDE = "node.kubernetes.io/exclude-from-external-load-balancers"
NODE = "/api/v1/nodes/r1n1"
POD = "/api/v1/namespaces/shop/pods/cart"
APPS = {"resources": [{"name": "daemonsets", "kind": "DaemonSet", "namespaced": True}]}
DAEMONSET = {
    "apiVersion": "apps/v1",
    "kind": "DaemonSet",
    "metadata": {"name": "gw", "namespace": "edge"},
    "spec": {"updateStrategy": {"type": "OnDelete"}},
}


def node(name: str = "r1n1", **changes: Any) -> dict[str, Any]:
    meta = {"name": name, "resourceVersion": "7", **changes.pop("metadata", {})}
    ready = {"conditions": [{"type": "Ready", "status": "True"}]}
    return {"metadata": meta, "spec": changes.pop("spec", {}), "status": changes.pop("status", ready)}


def ours(*marks: str, run: str = "run-1") -> dict[str, str]:
    return {"rackroll.io/run": run, "rackroll.io/marks": ",".join(marks)}


def pod(name: str, namespace: str, image: str, **changes: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "namespace": namespace, **changes.pop("metadata", {})},
        "spec": {
            "nodeName": changes.pop("node", "r1n1"),
            "containers": [{"name": "istio-proxy", "image": image}],
            **changes.pop("spec", {}),
        },
        "status": {
            "phase": changes.pop("phase", "Running"),
            "conditions": [{"type": "Ready", "status": changes.pop("ready", "True")}],
        },
    }
