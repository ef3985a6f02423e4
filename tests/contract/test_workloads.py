"""Workloads: what controllers, scheduler, budgets and kubelets make of objects. Pods here ask for any node at all."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.target import Api, Json, Target, eventually
from tests.contract.workloads import (
    PAUSE_AGAIN,
    complete,
    daemon_ready,
    deployed,
    evict,
    most_wanted,
    pods,
    ready,
    version_of,
    workload,
)


@pytest.fixture
def daemon_set(api: Api, space: str) -> str:
    """A DaemonSet with OnDelete on every node, complete."""
    path = f"/apis/apps/v1/namespaces/{space}/daemonsets"
    assert api.call("POST", path, workload("DaemonSet", "d", updateStrategy={"type": "OnDelete"})).code == 201
    eventually(lambda: daemon_ready(api, f"{path}/d"))
    return f"{path}/d"


@pytest.mark.call("Deployment")
def test_a_deployment_becomes_available(api: Api, space: str) -> None:
    path = deployed(api, space, workload("Deployment", "web", replicas=2))
    conditions = {c["type"]: c for c in api.get(path)["status"]["conditions"]}
    assert conditions["Available"]["status"] == "True"
    assert conditions["Progressing"]["reason"] == "NewReplicaSetAvailable"
    assert all(ready(pod) and pod["spec"]["nodeName"] for pod in pods(api, space, "web"))


@pytest.mark.call("Deployment")
def test_a_rollout_never_has_fewer_available_than_allowed(api: Api, space: str) -> None:
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    begin = version_of(api, space)
    path = deployed(api, space, workload("Deployment", "web", replicas=3, strategy=strategy))
    version = api.get(path)["metadata"]["resourceVersion"]
    changed = workload("Deployment", "web", PAUSE_AGAIN)["spec"]["template"]
    api.patch(path, {"spec": {"template": changed}}, "strategic")
    eventually(lambda: complete(api, path))
    where = path.rpartition("/")[0]
    events = api.lines(where, resourceVersion=version, timeoutSeconds="1", fieldSelector="metadata.name=web")
    counts = [e["object"]["status"] for e in events if e["type"] == "MODIFIED"]
    assert min(status.get("availableReplicas", 0) for status in counts) == 3
    assert most_wanted(api, space, begin) == 4
    assert {pod["spec"]["containers"][0]["image"] for pod in pods(api, space, "web")} == {PAUSE_AGAIN}


@pytest.mark.call("Deployment")
def test_going_back_reuses_the_old_replica_set(api: Api, space: str) -> None:
    path = deployed(api, space, workload("Deployment", "web", replicas=1))
    first = workload("Deployment", "web")["spec"]["template"]
    second = workload("Deployment", "web", PAUSE_AGAIN)["spec"]["template"]
    for template in (second, first):
        api.patch(path, {"spec": {"template": template}}, "strategic")
        eventually(lambda: complete(api, path))
    sets = api.get(f"/apis/apps/v1/namespaces/{space}/replicasets")["items"]
    revisions = {s["metadata"]["annotations"]["deployment.kubernetes.io/revision"] for s in sets}
    assert (len(sets), revisions) == (2, {"2", "3"})


@pytest.mark.call("*/scale")
def test_the_scale_subresource_scales(api: Api, space: str) -> None:
    path = deployed(api, space, workload("Deployment", "web", replicas=1))
    scaled = api.patch(f"{path}/scale", {"spec": {"replicas": 3}}, "merge")
    assert (scaled["kind"], scaled["spec"]["replicas"]) == ("Scale", 3)
    eventually(lambda: complete(api, path))
    assert len(pods(api, space, "web")) == 3


@pytest.mark.call("POST")
def test_a_selector_that_misses_its_template_is_invalid(api: Api, space: str) -> None:
    body = workload("Deployment", "web", replicas=1)
    body["spec"]["selector"] = {"matchLabels": {"app": "other"}}
    refused = api.call("POST", f"/apis/apps/v1/namespaces/{space}/deployments", body)
    assert (refused.code, refused["reason"]) == (422, "Invalid")


@pytest.mark.call("Pods on nodes")
def test_a_pod_that_fits_no_node_says_why(api: Api, space: str) -> None:
    body: Json = {"metadata": {"name": "p"}, "spec": workload("Pod", "p")["spec"]["template"]["spec"]}
    body["spec"]["nodeSelector"] = {"contract.rackroll.io/none": "here"}
    assert api.call("POST", f"/api/v1/namespaces/{space}/pods", body).code == 201

    def unscheduled() -> Any:
        conditions = api.get(f"/api/v1/namespaces/{space}/pods/p")["status"].get("conditions") or ()
        return next((c for c in conditions if c["type"] == "PodScheduled" and c["status"] == "False"), None)

    told = eventually(unscheduled)
    assert told["reason"] == "Unschedulable"
    assert "didn't match Pod's node affinity/selector" in told["message"]


@pytest.mark.call("DaemonSet")
def test_on_delete_replaces_only_what_is_deleted(api: Api, space: str, daemon_set: str) -> None:
    before = {pod["metadata"]["uid"] for pod in pods(api, space, "d")}
    template = workload("DaemonSet", "d", PAUSE_AGAIN)["spec"]["template"]
    api.patch(daemon_set, {"spec": {"template": template}}, "strategic")
    eventually(lambda: api.get(daemon_set)["status"].get("updatedNumberScheduled", 0) == 0)
    assert {pod["metadata"]["uid"] for pod in pods(api, space, "d")} == before
    victim = pods(api, space, "d")[0]
    api.call("DELETE", f"/api/v1/namespaces/{space}/pods/{victim['metadata']['name']}")
    eventually(lambda: api.get(daemon_set)["status"].get("updatedNumberScheduled") == 1)
    new = next(p for p in pods(api, space, "d") if p["metadata"]["uid"] not in before)
    assert new["spec"]["nodeName"] == victim["spec"]["nodeName"]
    assert new["spec"]["containers"][0]["image"] == PAUSE_AGAIN


@pytest.mark.call("DaemonSet")
@pytest.mark.usefixtures("daemon_set")
def test_a_daemon_pod_comes_back_on_a_cordoned_node(api: Api, space: str) -> None:
    victim = pods(api, space, "d")[0]
    node = f"/api/v1/nodes/{victim['spec']['nodeName']}"
    api.patch(node, {"spec": {"unschedulable": True}}, "merge")
    try:
        api.call("DELETE", f"/api/v1/namespaces/{space}/pods/{victim['metadata']['name']}")

        def back() -> bool:
            found = [
                p for p in pods(api, space, "d") if p["spec"].get("nodeName") == victim["spec"]["nodeName"]
            ]
            return any(ready(p) and p["metadata"]["uid"] != victim["metadata"]["uid"] for p in found)

        eventually(back)
    finally:
        api.patch(node, {"spec": {"unschedulable": None}}, "merge")


@pytest.mark.call("DaemonSet")
def test_a_rolling_daemon_set_replaces_everything(api: Api, daemon_set: str) -> None:
    api.patch(daemon_set, {"spec": {"updateStrategy": {"type": "RollingUpdate"}}}, "merge")
    template = workload("DaemonSet", "d", PAUSE_AGAIN)["spec"]["template"]
    api.patch(daemon_set, {"spec": {"template": template}}, "strategic")

    def done() -> bool:
        status = api.get(daemon_set)["status"]
        wanted = status["desiredNumberScheduled"]
        return bool(status.get("updatedNumberScheduled", 0) == status.get("numberAvailable", 0) == wanted)

    eventually(done, 60)


@pytest.mark.call("pods/eviction, with PodDisruptionBudgets")
def test_a_budget_says_not_yet_and_then_yes(api: Api, space: str) -> None:
    deployed(api, space, workload("Deployment", "web", replicas=2))
    budget = {"minAvailable": 2, "selector": {"matchLabels": {"app": "web"}}}
    path = f"/apis/policy/v1/namespaces/{space}/poddisruptionbudgets"
    api.call("POST", path, {"metadata": {"name": "web"}, "spec": budget})
    eventually(lambda: api.get(f"{path}/web")["status"].get("currentHealthy") == 2)
    refused = evict(api, space, pods(api, space, "web")[0])
    assert (refused.code, refused["reason"]) == (429, "TooManyRequests")
    cause = refused["details"]["causes"][0]
    assert cause["reason"] == "DisruptionBudget"
    assert "needs 2 healthy pods and has 2 currently" in cause["message"]
    api.patch(f"{path}/web", {"spec": {"minAvailable": 1}}, "merge")
    eventually(lambda: api.get(f"{path}/web")["status"]["disruptionsAllowed"] == 1)
    assert evict(api, space, pods(api, space, "web")[0]).code == 201


@pytest.mark.call("pods/eviction, with PodDisruptionBudgets")
@pytest.mark.usefixtures("daemon_set")
def test_max_unavailable_over_a_daemon_set_allows_nothing(api: Api, space: str) -> None:
    budget = {"maxUnavailable": 1, "selector": {"matchLabels": {"app": "d"}}}
    path = f"/apis/policy/v1/namespaces/{space}/poddisruptionbudgets"
    api.call("POST", path, {"metadata": {"name": "d"}, "spec": budget})

    def told() -> Any:
        rows = api.get(f"{path}/d").body.get("status", {}).get("conditions") or ()
        return next((c for c in rows if c["type"] == "DisruptionAllowed"), None)

    assert eventually(told)["reason"] == "SyncFailed"
    assert evict(api, space, pods(api, space, "d")[0]).code == 429


@pytest.mark.call("pods/eviction, with PodDisruptionBudgets")
def test_evicting_a_pod_that_is_gone_is_not_found(api: Api, space: str) -> None:
    assert evict(api, space, {"metadata": {"name": "nobody"}}).code == 404


@pytest.mark.call("Services and EndpointSlices")
def test_endpoints_follow_readiness(api: Api, space: str) -> None:
    path = deployed(api, space, workload("Deployment", "web", replicas=2))
    service = {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 8080, "name": "http"}]}
    made = api.call(
        "POST", f"/api/v1/namespaces/{space}/services", {"metadata": {"name": "web"}, "spec": service}
    )
    assert made.code == 201
    assert made["spec"]["clusterIP"] not in ("", None, "None")

    def endpoints() -> list[Json]:
        where = f"/apis/discovery.k8s.io/v1/namespaces/{space}/endpointslices"
        found = api.get(where, labelSelector="kubernetes.io/service-name=web")["items"]
        return [endpoint for piece in found for endpoint in piece.get("endpoints") or ()]

    eventually(lambda: len([e for e in endpoints() if e["conditions"]["ready"]]) == 2)
    assert all(e["nodeName"] and e["targetRef"]["kind"] == "Pod" for e in endpoints())
    api.patch(f"{path}/scale", {"spec": {"replicas": 1}}, "merge")
    eventually(lambda: len(endpoints()) == 1)


@pytest.mark.call("Services and EndpointSlices")
def test_a_local_load_balancer_gets_its_ports(api: Api, space: str) -> None:
    spec = {"type": "LoadBalancer", "externalTrafficPolicy": "Local", "ports": [{"port": 80}]}
    made = api.call(
        "POST", f"/api/v1/namespaces/{space}/services", {"metadata": {"name": "lb"}, "spec": spec}
    )
    node_port, health = made["spec"]["ports"][0]["nodePort"], made["spec"]["healthCheckNodePort"]
    assert 30000 <= node_port <= 32767
    assert 30000 <= health <= 32767
    assert node_port != health


@pytest.mark.call("Services and EndpointSlices")
def test_a_service_without_a_ready_controller_waits_for_its_address(
    api: Api, space: str, target: Target
) -> None:
    if target.restart is None:
        pytest.skip("a cluster that is not ours may have any load balancer")
    spec = {"type": "LoadBalancer", "ports": [{"port": 80}]}
    path = f"/api/v1/namespaces/{space}/services"
    api.call("POST", path, {"metadata": {"name": "lb"}, "spec": spec})
    assert api.get(f"{path}/lb")["status"] == {"loadBalancer": {}}


@pytest.mark.call("Jobs, ServiceAccounts")
def test_a_job_runs_to_its_end(api: Api, space: str) -> None:
    pod = {
        "restartPolicy": "Never",
        "containers": [{"name": "main", "image": "busybox", "command": ["true"]}],
    }
    path = f"/apis/batch/v1/namespaces/{space}/jobs"
    api.call("POST", path, {"metadata": {"name": "j"}, "spec": {"template": {"spec": pod}}})

    def finished() -> bool:
        rows = api.get(f"{path}/j").body.get("status", {}).get("conditions") or ()
        return any(c["type"] == "Complete" and c["status"] == "True" for c in rows)

    eventually(finished, 60)


@pytest.mark.call("Jobs, ServiceAccounts")
def test_every_namespace_has_a_service_account(api: Api, space: str) -> None:
    eventually(lambda: api.get(f"/api/v1/namespaces/{space}/serviceaccounts/default").code == 200)
