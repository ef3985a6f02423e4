"""Deployments whose pods are played: upstream's own controllers roll them, and this is their kubelet.

A new pod is Ready once the program that it stands for was started again, no earlier; so what waits for a rollout waits
for the program. No node is needed: nothing runs in the pod.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from lab.signers import objects
from rollout.adapters.kube.api import MERGE, KubeApi
from rollout.errors import RackrollError

_LOOK = 0.2  # seconds
_LABEL = "played"
_READY = {
    "phase": "Running",
    "conditions": [{"type": kind, "status": "True"} for kind in ("ContainersReady", "Ready")],
}


def nothing() -> None:
    """Starts nothing: a workload that nobody here asks anything of."""


class Deployed:
    """``starts`` are the namespace's Deployments, and what a new pod of each starts. Programs end with this thread."""

    def __init__(self, api: KubeApi, namespace: str, starts: Mapping[str, Callable[[], None]]) -> None:
        self._api, self._namespace, self._starts = api, namespace, dict(starts)
        self._served: set[str] = set()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._follow, name=f"pods of {namespace}", daemon=True)

    def start(self) -> None:
        for name in self._starts:
            objects.apply(self._api, f"{self._workloads}/{name}", self._deployment(name))
        self._thread.start()

    def ready(self) -> bool:
        found = (self._api.get(f"{self._workloads}/{name}") for name in self._starts)
        return all((each.get("status") or {}).get("readyReplicas") == 1 for each in found)

    def stop(self) -> None:
        """And takes them away again, with their pods."""
        self._end.set()
        self._thread.join()
        for name in self._starts:
            self._api.request(
                "DELETE", f"{self._workloads}/{name}", query={"propagationPolicy": "Background"}
            )

    @property
    def _workloads(self) -> str:
        return f"/apis/apps/v1/namespaces/{self._namespace}/deployments"

    def _follow(self) -> None:
        """A program that does not start leaves its pod as it is: what waits for it says so."""
        while not self._end.wait(_LOOK):
            with suppress(RackrollError):
                self._look()

    def _look(self) -> None:
        pods = f"/api/v1/namespaces/{self._namespace}/pods"
        for pod in self._api.get(pods, labelSelector=_LABEL)["items"]:
            meta = pod["metadata"]
            if meta["uid"] in self._served or "deletionTimestamp" in meta:
                continue
            self._starts[meta["labels"][_LABEL]]()
            path = f"{pods}/{meta['name']}/status"
            self._api.request("PATCH", path, body={"status": _READY}, content_type=MERGE)
            self._served.add(meta["uid"])

    def _deployment(self, name: str) -> dict[str, Any]:
        """With the label that upstream's charts give their Deployments."""
        labels = {_LABEL: name, "app": name}
        spec = {"containers": [{"name": "main", "image": f"played.example/{name}:1"}]}
        template = {"metadata": {"labels": labels}, "spec": spec}
        return {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": name, "namespace": self._namespace, "labels": labels},
            "spec": {"replicas": 1, "selector": {"matchLabels": labels}, "template": template},
        }
