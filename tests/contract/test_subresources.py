"""Status and scale: two writers of one object that cannot get in each other's way."""

from __future__ import annotations

import pytest

from tests.contract.target import Api, eventually
from tests.contract.workloads import bare_pod, deployed, pods, running, workload

STATUS, SCALE = "*/status", "*/scale"


@pytest.mark.call(STATUS)
def test_the_status_is_changed_there_and_nothing_else_is(api: Api, space: str) -> None:
    path = deployed(api, space, workload("Deployment", "web", replicas=0))
    row = {"type": "rackroll.io/Told", "status": "True"}
    patch = {"status": {"conditions": [row]}, "spec": {"replicas": 7}}
    told = api.patch(f"{path}/status", patch, "strategic")
    assert told["spec"]["replicas"] == 0
    assert "rackroll.io/Told" in {c["type"] for c in told["status"]["conditions"]}


@pytest.mark.call(STATUS)
def test_the_object_is_changed_and_its_status_stays(api: Api, space: str) -> None:
    path = running(api, space, bare_pod("p"))
    found = api.patch(path, {"metadata": {"labels": {"x": "y"}}, "status": {"phase": "Failed"}}, "merge")
    assert (found["metadata"]["labels"]["x"], found["status"]["phase"]) == ("y", "Running")


@pytest.mark.call(STATUS)
def test_a_put_of_an_old_status_conflicts(api: Api, space: str) -> None:
    path = running(api, space, bare_pod("p", unready="true"))
    old = api.get(f"{path}/status")
    assert old["kind"] == "Pod"
    api.patch(path, {"metadata": {"labels": {"x": "y"}}}, "merge")
    stale = api.call("PUT", f"{path}/status", old.body)
    assert (stale.code, stale["reason"]) == (409, "Conflict")


@pytest.mark.call(STATUS)
def test_a_kind_without_a_status_serves_none(api: Api, space: str) -> None:
    path = f"/api/v1/namespaces/{space}/configmaps"
    api.call("POST", path, {"metadata": {"name": "c"}})
    assert api.get(f"{path}/c/status").code == 404


@pytest.mark.call(STATUS)
def test_an_apply_may_own_a_condition(api: Api, space: str) -> None:
    path = running(api, space, bare_pod("p"))
    row = {"type": "rackroll.io/Told", "status": "True"}
    body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "status": {"conditions": [row]}}
    told = api.patch(f"{path}/status", body, "apply", fieldManager="one")
    assert {"rackroll.io/Told", "Ready"} <= {c["type"] for c in told["status"]["conditions"]}
    owner = next(o for o in told["metadata"]["managedFields"] if o["manager"] == "one")
    assert (owner["operation"], owner["subresource"]) == ("Apply", "status")


@pytest.mark.call(SCALE)
def test_a_scale_is_read_and_put_back(api: Api, space: str) -> None:
    path = deployed(api, space, workload("Deployment", "web", replicas=1))
    scale = api.get(f"{path}/scale").body
    assert (scale["spec"]["replicas"], scale["status"]["replicas"]) == (1, 1)
    assert scale["status"]["selector"] == "app=web"
    done = api.call("PUT", f"{path}/scale", {**scale, "spec": {"replicas": 2}})
    assert (done.code, done["spec"]["replicas"]) == (200, 2)
    stale = api.call("PUT", f"{path}/scale", {**scale, "spec": {"replicas": 3}})
    assert (stale.code, stale["reason"]) == (409, "Conflict")
    eventually(lambda: len(pods(api, space, "web")) == 2)


@pytest.mark.call(SCALE)
def test_fewer_than_none_is_invalid(api: Api, space: str) -> None:
    path = deployed(api, space, workload("Deployment", "web", replicas=0))
    refused = api.patch(f"{path}/scale", {"spec": {"replicas": -1}}, "merge")
    assert (refused.code, refused["reason"]) == (422, "Invalid")


@pytest.mark.call(SCALE)
def test_a_stateful_set_scales_and_a_daemon_set_cannot(api: Api, space: str) -> None:
    path = f"/apis/apps/v1/namespaces/{space}"
    body = workload("StatefulSet", "s", replicas=0)
    body["spec"]["serviceName"] = "s"
    assert api.call("POST", f"{path}/statefulsets", body).code == 201
    assert api.patch(f"{path}/statefulsets/s/scale", {"spec": {"replicas": 1}}, "merge").code == 200
    assert api.call("POST", f"{path}/daemonsets", workload("DaemonSet", "d")).code == 201
    assert api.get(f"{path}/daemonsets/d/scale").code == 404
