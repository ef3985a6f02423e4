"""The four kinds of patch, and who owns a field afterwards."""

from __future__ import annotations

import pytest

from tests.contract.target import Api, Json


def deployment(name: str, *, replicas: int | None = 0) -> Json:
    labels = {"app": name}
    containers = [{"name": "a", "image": "example.com/a:1"}, {"name": "b", "image": "example.com/b:1"}]
    spec: Json = {
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": {"containers": containers}},
    }
    if replicas is not None:
        spec["replicas"] = replicas
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec}


def created(api: Api, space: str, body: Json) -> str:
    path = f"/apis/apps/v1/namespaces/{space}/deployments"
    assert api.call("POST", path, body).code == 201
    return f"{path}/{body['metadata']['name']}"


def images(deployment: Json) -> dict[str, str]:
    return {c["name"]: c["image"] for c in deployment["spec"]["template"]["spec"]["containers"]}


@pytest.mark.call("PATCH merge, strategic, JSON")
def test_a_merge_patch_replaces_lists_and_null_removes(api: Api, space: str) -> None:
    path = created(api, space, deployment("d"))
    api.patch(path, {"metadata": {"labels": {"x": "1", "y": "2"}}}, "merge")
    found = api.patch(path, {"metadata": {"labels": {"x": None}}}, "merge")
    assert found["metadata"]["labels"] == {"y": "2"}
    containers = [{"name": "a", "image": "example.com/a:2"}]
    found = api.patch(path, {"spec": {"template": {"spec": {"containers": containers}}}}, "merge")
    assert images(found.body) == {"a": "example.com/a:2"}


@pytest.mark.call("PATCH merge, strategic, JSON")
def test_a_strategic_patch_merges_containers_by_name(api: Api, space: str) -> None:
    path = created(api, space, deployment("d"))
    containers = [{"name": "b", "image": "example.com/b:2"}]
    found = api.patch(path, {"spec": {"template": {"spec": {"containers": containers}}}}, "strategic")
    assert images(found.body) == {"a": "example.com/a:1", "b": "example.com/b:2"}
    gone = [{"name": "a", "$patch": "delete"}]
    found = api.patch(path, {"spec": {"template": {"spec": {"containers": gone}}}}, "strategic")
    assert images(found.body) == {"b": "example.com/b:2"}


@pytest.mark.call("PATCH merge, strategic, JSON")
def test_a_json_patch_whose_test_fails_changes_nothing(api: Api, space: str) -> None:
    path = created(api, space, deployment("d"))
    operations = [
        {"op": "test", "path": "/spec/replicas", "value": 7},
        {"op": "remove", "path": "/metadata/labels"},
    ]
    assert api.patch(path, operations, "json").code == 422
    good = [{"op": "add", "path": "/metadata/annotations", "value": {"a/b": "c"}}]
    assert api.patch(path, good, "json")["metadata"]["annotations"]["a/b"] == "c"


@pytest.mark.call("PATCH merge, strategic, JSON")
def test_an_unknown_patch_type_is_unsupported(api: Api, space: str) -> None:
    path = created(api, space, deployment("d"))
    assert api.call("PATCH", path, {}, content_type="application/json").code == 415


@pytest.mark.call("PATCH merge, strategic, JSON")
def test_a_patch_with_an_old_version_conflicts(api: Api, space: str) -> None:
    path = created(api, space, deployment("d"))
    old = api.get(path)["metadata"]["resourceVersion"]
    api.patch(path, {"metadata": {"labels": {"x": "1"}}}, "merge")
    stale = api.patch(path, {"metadata": {"resourceVersion": old, "labels": {"x": "2"}}}, "merge")
    assert stale.code == 409


@pytest.mark.call("PATCH merge, strategic, JSON")
def test_generation_moves_with_the_spec_only(api: Api, space: str) -> None:
    path = created(api, space, deployment("d"))
    api.patch(path, {"metadata": {"labels": {"x": "1"}}}, "merge")
    assert api.get(path)["metadata"]["generation"] == 1
    api.patch(path, {"spec": {"minReadySeconds": 3}}, "merge")
    assert api.get(path)["metadata"]["generation"] == 2


@pytest.mark.call("PATCH apply, with owners and conflicts")
def test_apply_creates_then_changes(api: Api, space: str) -> None:
    path = f"/apis/apps/v1/namespaces/{space}/deployments/d"
    first = api.patch(path, deployment("d"), "apply", fieldManager="one")
    assert first.code == 201
    assert first["metadata"]["managedFields"][0]["manager"] == "one"
    again = api.patch(path, deployment("d"), "apply", fieldManager="one")
    assert again.code == 200


@pytest.mark.call("PATCH apply, with owners and conflicts")
def test_applying_the_same_again_is_no_change(api: Api, space: str) -> None:
    path = f"/api/v1/namespaces/{space}/configmaps/c"
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"k": "v"}}
    first = api.patch(path, body, "apply", fieldManager="one")
    again = api.patch(path, body, "apply", fieldManager="one")
    assert first["metadata"]["resourceVersion"] == again["metadata"]["resourceVersion"]


@pytest.mark.call("PATCH apply, with owners and conflicts")
def test_what_an_applier_no_longer_states_goes_away(api: Api, space: str) -> None:
    path = f"/api/v1/namespaces/{space}/configmaps/c"
    body: Json = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}}
    api.patch(path, {**body, "data": {"mine": "1", "shared": "1"}}, "apply", fieldManager="one")
    api.patch(path, {**body, "data": {"theirs": "1", "shared": "1"}}, "apply", fieldManager="two")
    left = api.patch(path, {**body, "data": {}}, "apply", fieldManager="one")
    assert left["data"] == {"theirs": "1", "shared": "1"}


@pytest.mark.call("PATCH apply, with owners and conflicts")
def test_a_field_of_another_manager_conflicts_unless_forced(api: Api, space: str) -> None:
    path = f"/apis/apps/v1/namespaces/{space}/deployments/d"
    api.patch(path, deployment("d", replicas=0), "apply", fieldManager="one")
    other = deployment("d", replicas=1)
    refused = api.patch(path, other, "apply", fieldManager="two")
    assert (refused.code, refused["reason"]) == (409, "Conflict")
    cause = refused["details"]["causes"][0]
    assert (cause["reason"], cause["field"]) == ("FieldManagerConflict", ".spec.replicas")
    assert 'conflict with "one"' in cause["message"]
    forced = api.patch(path, other, "apply", fieldManager="two", force="true")
    assert forced["spec"]["replicas"] == 1
    assert api.patch(path, deployment("d", replicas=0), "apply", fieldManager="one").code == 409


@pytest.mark.call("PATCH apply, with owners and conflicts")
def test_a_plain_update_takes_ownership_too(api: Api, space: str) -> None:
    path = f"/apis/apps/v1/namespaces/{space}/deployments/d"
    api.patch(path, deployment("d", replicas=0), "apply", fieldManager="helm")
    api.patch(path, {"spec": {"replicas": 2}}, "merge", fieldManager="someone")
    refused = api.patch(path, deployment("d", replicas=0), "apply", fieldManager="helm")
    assert refused.code == 409
    assert 'conflict with "someone"' in refused["details"]["causes"][0]["message"]


@pytest.mark.call("PATCH apply, with owners and conflicts")
def test_two_managers_keep_their_own_fields_of_one_daemon_set(api: Api, space: str) -> None:
    """As here: the chart's owner upgrades the template, we hold the update strategy."""
    path = f"/apis/apps/v1/namespaces/{space}/daemonsets/g"
    chart = deployment("g", replicas=None) | {"kind": "DaemonSet"}
    chart["spec"]["template"]["spec"]["nodeSelector"] = {"contract.rackroll.io/none": "here"}
    head = {"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "g"}}
    ours = {**head, "spec": {"updateStrategy": {"type": "OnDelete"}}}
    assert api.patch(path, chart, "apply", fieldManager="helm").code == 201
    assert api.patch(path, ours, "apply", fieldManager="rackroll").code == 200
    chart["spec"]["template"]["spec"]["containers"][0]["image"] = "example.com/a:2"
    upgraded = api.patch(path, chart, "apply", fieldManager="helm")
    assert upgraded["spec"]["updateStrategy"]["type"] == "OnDelete"
    assert images(upgraded.body)["a"] == "example.com/a:2"


@pytest.mark.call("PATCH apply, with owners and conflicts")
def test_containers_of_two_appliers_live_side_by_side(api: Api, space: str) -> None:
    path = f"/apis/apps/v1/namespaces/{space}/deployments/d"
    api.patch(path, deployment("d"), "apply", fieldManager="one")
    extra: Json = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"}}
    containers = [{"name": "c", "image": "example.com/c:1"}]
    extra["spec"] = {"template": {"spec": {"containers": containers}}}
    both = api.patch(path, extra, "apply", fieldManager="two")
    assert sorted(images(both.body)) == ["a", "b", "c"]
    extra["spec"] = {}
    left = api.patch(path, extra, "apply", fieldManager="two")
    assert sorted(images(left.body)) == ["a", "b"]


@pytest.mark.call("PATCH apply, with owners and conflicts")
def test_an_apply_says_who_applies_and_owns_nothing_by_its_own_word(api: Api, space: str) -> None:
    path = f"/apis/apps/v1/namespaces/{space}/deployments/d"
    assert api.patch(path, deployment("d"), "apply").code in (400, 422)
    made = api.patch(path, deployment("d"), "apply", fieldManager="one")
    body = deployment("d")
    body["metadata"]["managedFields"] = made["metadata"]["managedFields"]
    refused = api.patch(path, body, "apply", fieldManager="one")
    assert (refused.code, refused["reason"]) == (400, "BadRequest")
    assert "managedFields must be nil" in refused["message"]


@pytest.mark.call("PATCH apply, with owners and conflicts")
def test_an_apply_from_an_old_version_conflicts(api: Api, space: str) -> None:
    path = f"/apis/apps/v1/namespaces/{space}/deployments/d"
    old = api.patch(path, deployment("d"), "apply", fieldManager="one")["metadata"]["resourceVersion"]
    api.patch(path, {"metadata": {"labels": {"x": "1"}}}, "merge")
    body = deployment("d")
    body["metadata"]["resourceVersion"] = old
    refused = api.patch(path, body, "apply", fieldManager="one")
    assert (refused.code, refused["reason"]) == (409, "Conflict")


@pytest.mark.call("PATCH apply, with owners and conflicts")
def test_who_states_the_same_owns_it_too(api: Api, space: str) -> None:
    path = f"/apis/apps/v1/namespaces/{space}/deployments/d"
    api.patch(path, deployment("d", replicas=0), "apply", fieldManager="one")
    assert api.patch(path, deployment("d", replicas=0), "apply", fieldManager="two").code == 200
    refused = api.patch(path, deployment("d", replicas=1), "apply", fieldManager="one")
    assert 'conflict with "two"' in refused["details"]["causes"][0]["message"]
    assert len(refused["details"]["causes"]) == 1


@pytest.mark.call("PATCH merge, strategic, JSON")
def test_a_patch_of_what_is_not_there_is_not_found(api: Api, space: str) -> None:
    path = f"/apis/apps/v1/namespaces/{space}/deployments/none"
    for kind, body in (("merge", {}), ("strategic", {}), ("json", [])):
        assert api.patch(path, body, kind).code == 404


@pytest.mark.call("PATCH merge, strategic, JSON")
def test_a_name_is_not_patched(api: Api, space: str) -> None:
    path = created(api, space, deployment("d"))
    refused = api.patch(path, {"metadata": {"name": "e"}}, "merge")
    assert (refused.code, refused["reason"]) == (400, "BadRequest")
