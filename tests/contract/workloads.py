"""Workloads to post, and what is asked of them: shared by the tests of controllers, budgets and adapters."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

from tests.contract.target import Answer, Api, Json, eventually

PAUSE = "registry.k8s.io/pause:3.10"
PAUSE_AGAIN = "registry.k8s.io/pause:3.9"


def workload(kind: str, name: str, image: str = PAUSE, **spec: Any) -> Json:
    labels = {"app": name}
    pod = {"terminationGracePeriodSeconds": 0, "containers": [{"name": "main", "image": image}]}
    template = {"metadata": {"labels": labels}, "spec": pod}
    body = {"selector": {"matchLabels": labels}, "template": template, **spec}
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name}, "spec": body}


def bare_pod(name: str, *, grace: int = 0, **annotations: str) -> Json:
    """Without an owner. ``stuck="true"`` and ``unready="true"`` are for the kubelet that plays here."""
    told = {f"rackroll.test/{key}": value for key, value in annotations.items()}
    spec = {"terminationGracePeriodSeconds": grace, "containers": [{"name": "main", "image": PAUSE}]}
    return {"metadata": {"name": name, "labels": {"app": "bare"}, "annotations": told}, "spec": spec}


def running(api: Api, space: str, pod: Json) -> str:
    """Posted and running, ready or not; its path."""
    where = f"/api/v1/namespaces/{space}/pods"
    # A real cluster refuses pods until the namespace has its service account.
    eventually(lambda: api.call("POST", where, pod).code == 201)
    path = f"{where}/{pod['metadata']['name']}"
    eventually(lambda: api.get(path)["status"].get("phase") == "Running", 60)
    return path


def unstuck(api: Api, path: str) -> None:
    """Let a pod go that was told to hang."""
    api.patch(path, {"metadata": {"annotations": {"rackroll.test/stuck": None}}}, "merge")


def budgeted(api: Api, space: str, app: str = "bare", **spec: Any) -> str:
    """A PodDisruptionBudget over the pods of ``app`` that its controller has looked at; its path."""
    where = f"/apis/policy/v1/namespaces/{space}/poddisruptionbudgets"
    name = f"{app}-{uuid.uuid4().hex[:4]}"
    body = {"metadata": {"name": name}, "spec": {"selector": {"matchLabels": {"app": app}}, **spec}}
    assert api.call("POST", where, body).code == 201
    path = f"{where}/{name}"
    eventually(lambda: api.get(path).body.get("status", {}).get("observedGeneration") == 1)
    return path


def replayed(api: Api, path: str, version: str, **query: str) -> Iterator[list[Json]]:
    """The collection after each of its changes since ``version``, when it was empty."""
    now: dict[str, Json] = {}
    for event in api.lines(path, resourceVersion=version, timeoutSeconds="1", **query):
        obj = event["object"]
        now[obj["metadata"]["uid"]] = obj
        if event["type"] == "DELETED":
            del now[obj["metadata"]["uid"]]
        yield list(now.values())


def most_wanted(api: Api, space: str, version: str) -> int:
    """The largest number of replicas that the ReplicaSets together were ever told to have."""
    path = f"/apis/apps/v1/namespaces/{space}/replicasets"
    return max(sum(int(one["spec"]["replicas"]) for one in sets) for sets in replayed(api, path, version))


def version_of(api: Api, space: str) -> str:
    """The namespace's pods and ReplicaSets can be replayed from here."""
    return str(api.get(f"/api/v1/namespaces/{space}/pods")["metadata"]["resourceVersion"])


def pods(api: Api, space: str, app: str) -> list[Json]:
    found = api.get(f"/api/v1/namespaces/{space}/pods", labelSelector=f"app={app}")
    items: list[Json] = found["items"]
    return items


def ready(pod: Json) -> bool:
    conditions = pod["status"].get("conditions") or ()
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def deployed(api: Api, space: str, body: Json) -> str:
    path = f"/apis/apps/v1/namespaces/{space}/deployments"
    assert api.call("POST", path, body).code == 201
    path = f"{path}/{body['metadata']['name']}"
    eventually(lambda: complete(api, path), 60)
    return path


def complete(api: Api, path: str) -> bool:
    found = api.get(path).body
    status, wanted = found["status"], found["spec"]["replicas"]
    counts = {status.get(name, 0) for name in ("replicas", "updatedReplicas", "availableReplicas")}
    return counts == {wanted} and bool(status.get("observedGeneration", 0) >= found["metadata"]["generation"])


def daemon_ready(api: Api, path: str) -> bool:
    found = api.get(path).body
    status = found["status"]
    wanted = status.get("desiredNumberScheduled", 0)
    seen = status.get("observedGeneration", 0) >= found["metadata"]["generation"]
    return bool(seen and wanted and status.get("numberReady") == wanted)


def evict(api: Api, space: str, pod: Json, **options: Any) -> Answer:
    """``options`` are the Eviction's deleteOptions."""
    name = pod["metadata"]["name"]
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name, "namespace": space}}
    if options:
        body["deleteOptions"] = options
    return api.call("POST", f"/api/v1/namespaces/{space}/pods/{name}/eviction", body)
