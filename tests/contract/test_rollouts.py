"""Rolling updates: how many pods may be missing, how many may be too many, and which stay behind."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.target import Api, Json, eventually
from tests.contract.workloads import (
    PAUSE,
    PAUSE_AGAIN,
    complete,
    daemon_ready,
    deployed,
    most_wanted,
    pods,
    ready,
    replayed,
    version_of,
    workload,
)

HASH = "controller-revision-hash"


def rolling(**limits: Any) -> Json:
    return {"type": "RollingUpdate", "rollingUpdate": limits}


def template(kind: str, name: str, image: str = PAUSE_AGAIN) -> Json:
    return {"spec": {"template": workload(kind, name, image)["spec"]["template"]}}


def history(api: Api, path: str, version: str) -> list[Json]:
    """Every status of the object since ``version``."""
    where, _, name = path.rpartition("/")
    events = api.lines(
        where, resourceVersion=version, timeoutSeconds="1", fieldSelector=f"metadata.name={name}"
    )
    return [e["object"]["status"] for e in events if e["type"] == "MODIFIED"]


def images(api: Api, space: str, app: str) -> dict[str, str]:
    return {
        p["metadata"]["name"]: p["spec"]["containers"][0]["image"]
        for p in pods(api, space, app)
        if "deletionTimestamp" not in p["metadata"]
    }


def daemons(api: Api, space: str, **limits: Any) -> str:
    path = f"/apis/apps/v1/namespaces/{space}/daemonsets"
    made = api.call("POST", path, workload("DaemonSet", "d", updateStrategy=rolling(**limits)))
    assert made.code == 201, made
    eventually(lambda: daemon_ready(api, f"{path}/d"), 60)
    return f"{path}/d"


def rolled(api: Api, path: str) -> bool:
    found = api.get(path).body
    status = found["status"]
    wanted = status["desiredNumberScheduled"]
    seen = status.get("observedGeneration", 0) >= found["metadata"]["generation"]
    return bool(seen and status.get("updatedNumberScheduled") == status.get("numberAvailable") == wanted)


def fewest_ready(api: Api, space: str, app: str, version: str) -> int:
    """From when the most nodes had a ready pod on: the smallest number of nodes that had one."""
    where = f"/api/v1/namespaces/{space}/pods"
    counts = [
        len(
            {
                p["spec"].get("nodeName")
                for p in found
                if ready(p) and "deletionTimestamp" not in p["metadata"]
            }
        )
        for found in replayed(api, where, version, labelSelector=f"app={app}")
    ]
    return min(counts[counts.index(max(counts)) :])


@pytest.mark.call("DaemonSet")
def test_a_surging_daemon_set_has_the_new_pod_beside_the_old(api: Api, space: str) -> None:
    version = version_of(api, space)
    path = daemons(api, space, maxSurge=1, maxUnavailable=0)
    api.patch(path, template("DaemonSet", "d"), "strategic")
    eventually(lambda: rolled(api, path), 60)
    wanted = api.get(path)["status"]["desiredNumberScheduled"]
    eventually(lambda: list(images(api, space, "d").values()) == [PAUSE_AGAIN] * wanted)
    assert fewest_ready(api, space, "d", version) == wanted


@pytest.mark.call("DaemonSet")
def test_a_rolling_daemon_set_misses_no_more_than_it_may(api: Api, space: str) -> None:
    path = daemons(api, space, maxUnavailable=2)
    version = api.get(path)["metadata"]["resourceVersion"]
    api.patch(path, template("DaemonSet", "d"), "strategic")
    eventually(lambda: rolled(api, path), 60)
    assert max(status.get("numberUnavailable", 0) for status in history(api, path, version)) <= 2
    assert set(images(api, space, "d").values()) == {PAUSE_AGAIN}


@pytest.mark.call("DaemonSet")
@pytest.mark.parametrize(
    "limits", [{"maxSurge": 0, "maxUnavailable": 0}, {"maxSurge": 1, "maxUnavailable": 1}]
)
def test_a_daemon_set_either_surges_or_misses(api: Api, space: str, limits: Json) -> None:
    body = workload("DaemonSet", "d", updateStrategy=rolling(**limits))
    refused = api.call("POST", f"/apis/apps/v1/namespaces/{space}/daemonsets", body)
    assert (refused.code, refused["reason"]) == (422, "Invalid")


@pytest.mark.call("DaemonSet")
def test_pods_carry_the_hash_of_the_revision_that_made_them(api: Api, space: str) -> None:
    path = daemons(api, space, maxUnavailable=1)
    marks = {pod["metadata"]["labels"][HASH] for pod in pods(api, space, "d")}
    (revision,) = api.get(f"/apis/apps/v1/namespaces/{space}/controllerrevisions")["items"]
    assert marks == {revision["metadata"]["labels"][HASH]}
    assert revision["metadata"]["name"] == f"d-{marks.pop()}"
    assert api.get(path)["status"]["numberMisscheduled"] == 0


@pytest.mark.call("DaemonSet")
def test_a_daemon_set_follows_the_labels_of_nodes(api: Api, space: str) -> None:
    body = workload("DaemonSet", "d")
    body["spec"]["template"]["spec"]["nodeSelector"] = {"contract.rackroll.io/here": space}
    path = f"/apis/apps/v1/namespaces/{space}/daemonsets"
    assert api.call("POST", path, body).code == 201
    node = f"/api/v1/nodes/{api.get('/api/v1/nodes')['items'][0]['metadata']['name']}"
    api.patch(node, {"metadata": {"labels": {"contract.rackroll.io/here": space}}}, "merge")
    eventually(lambda: daemon_ready(api, f"{path}/d"))
    assert [pod["spec"]["nodeName"] for pod in pods(api, space, "d")] == [node.rpartition("/")[2]]
    api.patch(node, {"metadata": {"labels": {"contract.rackroll.io/here": None}}}, "merge")
    eventually(lambda: not pods(api, space, "d"))


@pytest.mark.call("Deployment")
def test_a_deployment_that_may_not_surge_goes_down_first(api: Api, space: str) -> None:
    strategy = rolling(maxSurge=0, maxUnavailable=1)
    begin = version_of(api, space)
    path = deployed(api, space, workload("Deployment", "web", replicas=3, strategy=strategy))
    version = api.get(path)["metadata"]["resourceVersion"]
    api.patch(path, template("Deployment", "web"), "strategic")
    eventually(lambda: complete(api, path), 60)
    assert most_wanted(api, space, begin) == 3
    assert min(status.get("availableReplicas", 0) for status in history(api, path, version)) == 2


@pytest.mark.call("Deployment")
def test_a_deployment_that_may_neither_surge_nor_miss_is_invalid(api: Api, space: str) -> None:
    body = workload("Deployment", "web", replicas=1, strategy=rolling(maxSurge=0, maxUnavailable=0))
    refused = api.call("POST", f"/apis/apps/v1/namespaces/{space}/deployments", body)
    assert (refused.code, refused["reason"]) == (422, "Invalid")


@pytest.mark.call("Deployment")
def test_recreate_has_no_old_pod_beside_a_new_one(api: Api, space: str) -> None:
    begin = version_of(api, space)
    path = deployed(api, space, workload("Deployment", "web", replicas=2, strategy={"type": "Recreate"}))
    api.patch(path, template("Deployment", "web"), "strategic")
    eventually(lambda: set(images(api, space, "web").values()) == {PAUSE_AGAIN}, 60)
    for found in replayed(api, f"/api/v1/namespaces/{space}/pods", begin):
        assert len({pod["spec"]["containers"][0]["image"] for pod in found}) <= 1


@pytest.mark.call("Deployment")
def test_a_paused_deployment_waits(api: Api, space: str) -> None:
    path = deployed(api, space, workload("Deployment", "web", replicas=1))
    api.patch(path, {"spec": {"paused": True}}, "merge")
    changed = api.patch(path, template("Deployment", "web"), "strategic")
    generation = changed["metadata"]["generation"]
    eventually(lambda: api.get(path)["status"]["observedGeneration"] == generation)
    assert set(images(api, space, "web").values()) == {PAUSE}
    api.patch(path, {"spec": {"paused": None}}, "merge")
    eventually(lambda: complete(api, path))
    eventually(lambda: set(images(api, space, "web").values()) == {PAUSE_AGAIN})


@pytest.fixture
def stateful_set(api: Api, space: str) -> str:
    path = f"/apis/apps/v1/namespaces/{space}/statefulsets"
    body = workload("StatefulSet", "s", replicas=3)
    body["spec"]["serviceName"] = "s"
    assert api.call("POST", path, body).code == 201
    eventually(lambda: api.get(f"{path}/s")["status"].get("readyReplicas") == 3, 60)
    return f"{path}/s"


@pytest.mark.call("StatefulSet")
def test_a_partition_keeps_the_lower_ordinals_as_they_were(api: Api, space: str, stateful_set: str) -> None:
    api.patch(stateful_set, {"spec": {"updateStrategy": rolling(partition=2)}}, "merge")
    api.patch(stateful_set, template("StatefulSet", "s"), "strategic")
    wanted = {"s-0": PAUSE, "s-1": PAUSE, "s-2": PAUSE_AGAIN}
    eventually(lambda: images(api, space, "s") == wanted)
    eventually(lambda: all(ready(pod) for pod in pods(api, space, "s")))
    api.call("DELETE", f"/api/v1/namespaces/{space}/pods/s-0")
    eventually(lambda: images(api, space, "s") == wanted)
    status = api.get(stateful_set)["status"]
    assert status["currentRevision"] != status["updateRevision"]
    assert status["updatedReplicas"] == 1
    api.patch(stateful_set, {"spec": {"updateStrategy": rolling(partition=0)}}, "merge")
    eventually(lambda: set(images(api, space, "s").values()) == {PAUSE_AGAIN})

    def settled() -> bool:
        told = api.get(stateful_set)["status"]
        return bool(told["currentRevision"] == told["updateRevision"] and told["readyReplicas"] == 3)

    eventually(settled)


@pytest.mark.call("Deployment")
def test_a_deployment_that_gets_nowhere_says_so(api: Api, space: str) -> None:
    body = workload("Deployment", "web", replicas=1, progressDeadlineSeconds=2)
    body["spec"]["template"]["spec"]["nodeSelector"] = {"contract.rackroll.io/none": "here"}
    path = f"/apis/apps/v1/namespaces/{space}/deployments"
    assert api.call("POST", path, body).code == 201

    def given_up() -> bool:
        rows = api.get(f"{path}/web").body.get("status", {}).get("conditions") or ()
        told = {row["type"]: (row["status"], row.get("reason")) for row in rows}
        return told.get("Progressing") == ("False", "ProgressDeadlineExceeded")

    eventually(given_up, 60)
