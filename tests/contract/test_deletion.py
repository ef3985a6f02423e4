"""How things go: grace, finalizers, dependents, and namespaces with everything in them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.target import Api, Json, eventually
from tests.contract.workloads import bare_pod, deployed, pods, running, unstuck, workload

DEPENDENTS = "DELETE with finalizers and dependents"
SPACES = "DELETE a namespace"


def owned(api: Api, space: str, **owner: Any) -> tuple[str, str]:
    """An owner, and what it holds; their paths."""
    path = f"/api/v1/namespaces/{space}/configmaps"
    made = api.call("POST", path, {"metadata": {"name": "owner", **owner}})
    reference = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "name": "owner",
        "uid": made["metadata"]["uid"],
        "blockOwnerDeletion": True,
    }
    body = {"metadata": {"name": "held", "ownerReferences": [reference], "finalizers": ["rackroll.io/held"]}}
    assert api.call("POST", path, body).code == 201
    return f"{path}/owner", f"{path}/held"


def released(api: Api, path: str) -> None:
    api.patch(path, {"metadata": {"finalizers": None}}, "merge")


def leaving(api: Api, path: str) -> bool:
    found = api.get(path)
    return found.code == 200 and "deletionTimestamp" in found["metadata"]


@pytest.mark.call("DELETE")
def test_a_pod_gets_its_grace_and_is_answered_with(api: Api, space: str) -> None:
    path = running(api, space, bare_pod("p", grace=40, stuck="true"))
    told = api.call("DELETE", path)
    assert (told.code, told["kind"], told["metadata"]["deletionGracePeriodSeconds"]) == (200, "Pod", 40)
    assert leaving(api, path)
    unstuck(api, path)
    eventually(lambda: api.get(path).code == 404)


@pytest.mark.call("DELETE")
def test_grace_can_be_shortened_and_is_never_lengthened(api: Api, space: str) -> None:
    path = running(api, space, bare_pod("p", grace=40, stuck="true"))
    shorter = api.call("DELETE", path, {"gracePeriodSeconds": 20})
    assert shorter["metadata"]["deletionGracePeriodSeconds"] == 20
    longer = api.call("DELETE", path, {"gracePeriodSeconds": 60})
    assert longer["metadata"]["deletionGracePeriodSeconds"] == 20
    api.call("DELETE", path, {"gracePeriodSeconds": 0})
    assert api.get(path).code == 404


@pytest.mark.call("DELETE")
def test_a_deletion_of_an_old_version_is_refused(api: Api, space: str) -> None:
    path = f"/api/v1/namespaces/{space}/configmaps"
    old = api.call("POST", path, {"metadata": {"name": "c"}})["metadata"]["resourceVersion"]
    api.patch(f"{path}/c", {"data": {"k": "v"}}, "merge")
    refused = api.call("DELETE", f"{path}/c", {"preconditions": {"resourceVersion": old}})
    assert (refused.code, refused["reason"]) == (409, "Conflict")


@pytest.mark.call("DELETE")
def test_the_answer_says_what_went(api: Api, space: str) -> None:
    path = f"/api/v1/namespaces/{space}/configmaps"
    uid = api.call("POST", path, {"metadata": {"name": "c"}})["metadata"]["uid"]
    told = api.call("DELETE", f"{path}/c")
    assert (told["kind"], told["status"]) == ("Status", "Success")
    assert told["details"] == {"name": "c", "kind": "configmaps", "uid": uid}


@pytest.mark.call("DELETE")
def test_deleting_what_is_not_there_is_not_found(api: Api, space: str) -> None:
    assert api.call("DELETE", f"/api/v1/namespaces/{space}/configmaps/c").code == 404


@pytest.mark.call(DEPENDENTS)
def test_in_the_background_the_owner_goes_first(api: Api, space: str) -> None:
    owner, held = owned(api, space)
    api.call("DELETE", owner, {"propagationPolicy": "Background"})
    assert api.get(owner).code == 404
    eventually(lambda: leaving(api, held))
    released(api, held)
    eventually(lambda: api.get(held).code == 404)


@pytest.mark.call(DEPENDENTS)
def test_in_the_foreground_the_owner_goes_last(api: Api, space: str) -> None:
    owner, held = owned(api, space)
    told = api.call("DELETE", owner, {"propagationPolicy": "Foreground"})
    assert told["metadata"]["finalizers"] == ["foregroundDeletion"]
    eventually(lambda: leaving(api, held))
    assert leaving(api, owner)
    released(api, held)
    eventually(lambda: api.get(owner).code == 404)


@pytest.mark.call(DEPENDENTS)
def test_orphans_stay_and_forget_their_owner(api: Api, space: str) -> None:
    owner, held = owned(api, space)
    api.call("DELETE", owner, {"propagationPolicy": "Orphan"})
    eventually(lambda: api.get(owner).code == 404)
    found = api.get(held)["metadata"]
    assert "deletionTimestamp" not in found
    assert not found.get("ownerReferences")
    released(api, held)


@pytest.mark.call(DEPENDENTS)
def test_what_names_an_owner_that_never_was_goes(api: Api, space: str) -> None:
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "none", "uid": "0-0-0"}
    path = f"/api/v1/namespaces/{space}/configmaps"
    api.call("POST", path, {"metadata": {"name": "c", "ownerReferences": [reference]}})
    eventually(lambda: api.get(f"{path}/c").code == 404)


@pytest.mark.call(DEPENDENTS)
def test_a_deployment_takes_its_replica_sets_and_pods(api: Api, space: str) -> None:
    path = deployed(api, space, workload("Deployment", "web", replicas=1))
    api.call("DELETE", path, {"propagationPolicy": "Foreground"})
    eventually(lambda: api.get(path).code == 404)
    assert api.get(f"/apis/apps/v1/namespaces/{space}/replicasets")["items"] == []
    eventually(lambda: not pods(api, space, "web"))


@pytest.mark.call(DEPENDENTS)
def test_a_leaving_object_takes_no_new_finalizer(api: Api, space: str) -> None:
    path = f"/api/v1/namespaces/{space}/configmaps"
    api.call("POST", path, {"metadata": {"name": "c", "finalizers": ["rackroll.io/one"]}})
    api.call("DELETE", f"{path}/c")
    more = {"metadata": {"finalizers": ["rackroll.io/one", "rackroll.io/two"]}}
    refused = api.patch(f"{path}/c", more, "merge")
    assert (refused.code, refused["reason"]) == (422, "Invalid")
    released(api, f"{path}/c")


@pytest.fixture
def held_space(api: Api, space: str) -> Json:
    """A namespace that is being deleted, and cannot go yet."""
    path = f"/api/v1/namespaces/{space}/configmaps"
    body = {"metadata": {"name": "c", "finalizers": ["rackroll.io/held"]}}
    assert api.call("POST", path, body).code == 201
    told: Json = api.call("DELETE", f"/api/v1/namespaces/{space}").body
    eventually(lambda: leaving(api, f"{path}/c"))
    return told


@pytest.mark.call(SPACES)
def test_a_namespace_waits_for_the_last_of_its_objects(api: Api, space: str, held_space: Json) -> None:
    assert held_space["status"]["phase"] == "Terminating"
    assert api.get(f"/api/v1/namespaces/{space}")["status"]["phase"] == "Terminating"
    released(api, f"/api/v1/namespaces/{space}/configmaps/c")
    eventually(lambda: api.get(f"/api/v1/namespaces/{space}").code == 404, 60)


@pytest.mark.call(SPACES)
@pytest.mark.usefixtures("held_space")
def test_a_leaving_namespace_takes_nothing_new(api: Api, space: str) -> None:
    path = f"/api/v1/namespaces/{space}/configmaps"
    refused = api.call("POST", path, {"metadata": {"name": "new"}})
    assert (refused.code, refused["reason"]) == (403, "Forbidden")
    assert "because it is being terminated" in refused["message"]
    assert refused["details"]["causes"][0]["reason"] == "NamespaceTerminating"
    released(api, f"{path}/c")


@pytest.mark.call("DELETE a collection")
def test_a_rehearsed_deletion_of_a_collection_leaves_it(api: Api, space: str) -> None:
    path = f"/api/v1/namespaces/{space}/configmaps"
    api.call("POST", path, {"metadata": {"name": "c", "labels": {"x": "y"}}})
    assert api.call("DELETE", path, labelSelector="x=y", dryRun="All").code == 200
    assert api.get(f"{path}/c").code == 200
