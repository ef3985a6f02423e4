"""Evictions: what a PodDisruptionBudget lets go, in which words it refuses, and what it has no say in."""

from __future__ import annotations

import pytest

from tests.contract.target import Api, Json
from tests.contract.workloads import (
    bare_pod,
    budgeted,
    deployed,
    evict,
    running,
    unstuck,
    workload,
)

pytestmark = pytest.mark.call("pods/eviction, with PodDisruptionBudgets")


def named(name: str) -> Json:
    return {"metadata": {"name": name}}


def two_pods(api: Api, space: str) -> None:
    """One ready, one not."""
    running(api, space, bare_pod("good"))
    running(api, space, bare_pod("bad", unready="true"))


def gone(api: Api, space: str, name: str) -> bool:
    return api.get(f"/api/v1/namespaces/{space}/pods/{name}").code == 404


def test_not_yet_comes_with_its_cause_and_no_time_to_retry(api: Api, space: str) -> None:
    running(api, space, bare_pod("p"))
    path = budgeted(api, space, minAvailable=1)
    refused = evict(api, space, named("p"))
    assert (refused.code, refused["kind"], refused["status"]) == (429, "Status", "Failure")
    assert refused["message"] == "Cannot evict pod as it would violate the pod's disruption budget."
    (cause,) = refused["details"]["causes"]
    assert cause["reason"] == "DisruptionBudget"
    assert cause["message"] == (
        f"The disruption budget {path.rpartition('/')[2]} needs 1 healthy pods and has 1 currently"
    )
    assert "Retry-After" not in refused.headers


def test_yes_is_a_status_too(api: Api, space: str) -> None:
    running(api, space, bare_pod("p"))
    done = evict(api, space, named("p"))
    assert (done.code, done["kind"], done["status"]) == (201, "Status", "Success")
    assert gone(api, space, "p")


def test_of_two_evictions_at_once_the_budget_allows_one(api: Api, space: str) -> None:
    """Without owners: a replacement that is Ready in between would make room for the second."""
    for name in ("a", "b", "c"):
        running(api, space, bare_pod(name))
    budgeted(api, space, minAvailable=2)
    assert [evict(api, space, named("a")).code, evict(api, space, named("b")).code] == [201, 429]


def test_an_eviction_of_another_life_of_the_pod_conflicts(api: Api, space: str) -> None:
    path = running(api, space, bare_pod("p"))
    meta = api.get(path)["metadata"]
    assert evict(api, space, named("p"), preconditions={"uid": "not-this-one"}).code == 409
    assert evict(api, space, named("p"), preconditions={"resourceVersion": "1"}).code == 409
    assert api.get(path)["metadata"]["uid"] == meta["uid"]
    now = {field: api.get(path)["metadata"][field] for field in ("uid", "resourceVersion")}
    assert evict(api, space, named("p"), preconditions=now).code == 201


def test_two_budgets_over_one_pod_are_an_error_of_the_server(api: Api, space: str) -> None:
    running(api, space, bare_pod("p"))
    budgeted(api, space, minAvailable=0)
    budgeted(api, space, minAvailable=0)
    refused = evict(api, space, named("p"))
    assert (refused.code, refused["status"]) == (500, "Failure")
    assert "more than one PodDisruptionBudget" in refused["message"]
    assert "reason" not in refused.body


def test_a_rehearsed_eviction_asks_the_budget_and_leaves_the_pod(api: Api, space: str) -> None:
    path = running(api, space, bare_pod("p"))
    assert evict(api, space, named("p"), dryRun=["All"]).code == 201
    budgeted(api, space, minAvailable=1)
    assert evict(api, space, named("p"), dryRun=["All"]).code == 429
    assert "deletionTimestamp" not in api.get(path)["metadata"]


def test_an_unready_pod_goes_while_the_budget_is_met_without_it(api: Api, space: str) -> None:
    two_pods(api, space)
    path = budgeted(api, space, minAvailable=1)
    assert api.get(path)["status"]["currentHealthy"] == 1
    assert evict(api, space, named("good")).code == 429
    assert evict(api, space, named("bad")).code == 201


def test_an_unready_pod_stays_while_the_budget_is_not_met(api: Api, space: str) -> None:
    two_pods(api, space)
    budgeted(api, space, minAvailable=2)
    assert evict(api, space, named("bad")).code == 429


def test_an_unready_pod_goes_always_where_the_budget_says_so(api: Api, space: str) -> None:
    two_pods(api, space)
    budgeted(api, space, minAvailable=2, unhealthyPodEvictionPolicy="AlwaysAllow")
    assert evict(api, space, named("good")).code == 429
    assert evict(api, space, named("bad")).code == 201


def test_a_pod_that_never_ran_is_no_matter_of_the_budget(api: Api, space: str) -> None:
    body = bare_pod("p")
    body["spec"]["nodeSelector"] = {"contract.rackroll.io/none": "here"}
    where = f"/api/v1/namespaces/{space}/pods"
    while api.call("POST", where, body).code == 403:
        pass
    budgeted(api, space, minAvailable=1)
    assert evict(api, space, named("p")).code == 201


def test_a_pod_that_is_leaving_may_be_told_again(api: Api, space: str) -> None:
    path = running(api, space, bare_pod("p", grace=30, stuck="true"))
    assert evict(api, space, named("p")).code == 201
    assert "deletionTimestamp" in api.get(path)["metadata"]
    budgeted(api, space, minAvailable=1)
    assert evict(api, space, named("p")).code == 201
    unstuck(api, path)


def test_a_pod_that_is_leaving_is_not_healthy(api: Api, space: str) -> None:
    path = running(api, space, bare_pod("p", grace=30, stuck="true"))
    running(api, space, bare_pod("q"))
    api.call("DELETE", path)
    assert api.get(budgeted(api, space, minAvailable=1))["status"]["currentHealthy"] == 1
    assert evict(api, space, named("q")).code == 429
    unstuck(api, path)


def test_a_share_is_of_what_the_owner_wants(api: Api, space: str) -> None:
    deployed(api, space, workload("Deployment", "web", replicas=3))
    status = api.get(budgeted(api, space, "web", minAvailable="50%"))["status"]
    told = ("expectedPods", "desiredHealthy", "currentHealthy", "disruptionsAllowed")
    assert [status[name] for name in told] == [3, 2, 3, 1]
    (row,) = status["conditions"]
    assert (row["type"], row["status"], row["reason"]) == ("DisruptionAllowed", "True", "SufficientPods")


def test_the_eviction_of_one_pod_is_not_posted_to_another(api: Api, space: str) -> None:
    path = running(api, space, bare_pod("p"))
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "q", "namespace": space}}
    assert api.call("POST", f"{path}/eviction", body).code == 400


def test_an_evicted_pod_says_why_it_goes(api: Api, space: str) -> None:
    path = running(api, space, bare_pod("p", grace=30, stuck="true"))
    assert evict(api, space, named("p")).code == 201
    rows = {row["type"]: row for row in api.get(path)["status"]["conditions"]}
    told = rows["DisruptionTarget"]
    assert (told["status"], told["reason"]) == ("True", "EvictionByEvictionAPI")
    unstuck(api, path)
