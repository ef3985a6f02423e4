"""Objects: versions, conflicts, lists, pages, deletion. Each call here is one that the product or its tools make."""

from __future__ import annotations

import pytest
from urllib3 import PoolManager

from tests.contract.target import Api, Json, Target, eventually


def config_map(name: str, **data: str) -> Json:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


@pytest.mark.call("GET /version, discovery, /openapi/v3")
def test_the_version_is_a_full_git_version(api: Api) -> None:
    found = api.get("/version")
    assert found["gitVersion"].startswith(f"v{found['major']}.{found['minor'].rstrip('+')}.")


@pytest.mark.call("GET /version, discovery, /openapi/v3")
def test_discovery_lists_what_the_product_needs(api: Api) -> None:
    core = {row["name"] for row in api.get("/api/v1")["resources"]}
    assert {"nodes", "pods", "pods/eviction", "pods/exec", "services", "secrets", "namespaces"} <= core
    apps = api.get("/apis/apps/v1")["resources"]
    assert {"daemonsets", "deployments", "deployments/scale"} <= {row["name"] for row in apps}
    groups = {group["name"] for group in api.get("/apis")["groups"]}
    assert {"apps", "policy", "discovery.k8s.io", "apiextensions.k8s.io", "coordination.k8s.io"} <= groups


@pytest.mark.call("GET /version, discovery, /openapi/v3")
def test_server_side_validation_is_advertised(api: Api) -> None:
    paths = api.get("/openapi/v3")["paths"]
    document = api.get(paths["apis/apps/v1"]["serverRelativeURL"].partition("?")[0])
    patch = document["paths"]["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"]["patch"]
    assert "fieldValidation" in {parameter["name"] for parameter in patch["parameters"]}


@pytest.mark.call("GET")
def test_an_unknown_path_or_object_is_not_found(api: Api, space: str) -> None:
    assert api.get("/apis/no.such.group/v1/things").code == 404
    missing = api.get(f"/api/v1/namespaces/{space}/configmaps/none")
    assert (missing.code, missing["reason"], missing["details"]["name"]) == (404, "NotFound", "none")
    assert missing["message"] == 'configmaps "none" not found'


@pytest.mark.call("any call without credentials or rights")
def test_without_credentials_one_is_anonymous_and_told_the_version_only(
    api: Api, target: Target, space: str
) -> None:
    pool = PoolManager(ca_certs=api.authority)
    refused = pool.request("GET", f"{api.host}/api/v1/namespaces/{space}/secrets")
    if refused.status == 401 and target.restart is None:
        pytest.skip("a cluster that is not ours may know no anonymous users")
    assert refused.status == 403
    assert 'User "system:anonymous" cannot list resource "secrets"' in refused.json()["message"]
    hidden = pool.request("GET", f"{api.host}/apis").json()
    assert (hidden["code"], hidden["message"]) == (
        403,
        'forbidden: User "system:anonymous" cannot get path "/apis"',
    )
    assert pool.request("GET", f"{api.host}/version").status == 200


@pytest.mark.call("POST")
def test_creating_twice_is_already_exists(api: Api, space: str) -> None:
    path = f"/api/v1/namespaces/{space}/configmaps"
    assert api.call("POST", path, config_map("c")).code == 201
    again = api.call("POST", path, config_map("c"))
    assert (again.code, again["reason"]) == (409, "AlreadyExists")


@pytest.mark.call("POST")
def test_an_object_for_another_namespace_is_refused(api: Api, space: str) -> None:
    body = config_map("c")
    body["metadata"]["namespace"] = "kube-system"
    assert api.call("POST", f"/api/v1/namespaces/{space}/configmaps", body).code == 400


@pytest.mark.call("POST")
def test_content_for_a_namespace_that_is_not_there_is_refused(api: Api) -> None:
    refused = api.call("POST", "/api/v1/namespaces/contract-nowhere/configmaps", config_map("c"))
    assert (refused.code, refused["reason"]) == (404, "NotFound")


@pytest.mark.call("PUT")
def test_a_put_from_an_old_version_conflicts(api: Api, space: str) -> None:
    path = f"/api/v1/namespaces/{space}/configmaps"
    old = api.call("POST", path, config_map("c", k="1")).body
    newer = api.call("PUT", f"{path}/c", {**old, "data": {"k": "2"}})
    assert newer.code == 200
    assert int(newer["metadata"]["resourceVersion"]) > int(old["metadata"]["resourceVersion"])
    stale = api.call("PUT", f"{path}/c", {**old, "data": {"k": "3"}})
    assert (stale.code, stale["reason"]) == (409, "Conflict")
    assert api.get(f"{path}/c")["data"] == {"k": "2"}


@pytest.mark.call("PUT")
def test_a_put_that_changes_nothing_keeps_the_version(api: Api, space: str) -> None:
    path = f"/api/v1/namespaces/{space}/configmaps"
    old = api.call("POST", path, config_map("c", k="1")).body
    same = api.call("PUT", f"{path}/c", old)
    assert same["metadata"]["resourceVersion"] == old["metadata"]["resourceVersion"]


@pytest.mark.call("dryRun=All")
def test_dry_run_stores_nothing(api: Api, space: str) -> None:
    path = f"/api/v1/namespaces/{space}/configmaps"
    assert api.call("POST", path, config_map("c"), dryRun="All").code == 201
    assert api.get(f"{path}/c").code == 404


@pytest.mark.call("LIST by labels and fields")
def test_lists_select_by_label_and_field(api: Api, space: str) -> None:
    path = f"/api/v1/namespaces/{space}/configmaps"
    for name, tier in (("a", "web"), ("b", "web"), ("c", "db")):
        body = config_map(name)
        body["metadata"]["labels"] = {"tier": tier}
        api.call("POST", path, body)

    def names(**query: str) -> list[str]:
        return [item["metadata"]["name"] for item in api.get(path, **query)["items"]]

    assert names(labelSelector="tier=web") == ["a", "b"]
    assert names(labelSelector="tier notin (web),tier") == ["c"]
    assert names(fieldSelector="metadata.name=b") == ["b"]
    assert api.get(path, labelSelector="tier=(").code == 400


@pytest.mark.call("LIST in pages")
def test_pages_together_are_the_list(api: Api, space: str) -> None:
    path = f"/api/v1/namespaces/{space}/configmaps"
    for number in range(5):
        api.call(
            "POST",
            path,
            {**config_map(f"c{number}"), "metadata": {"name": f"c{number}", "labels": {"x": "y"}}},
        )
    names, token, sizes = [], "", []
    while True:
        query = {"continue": token} if token else {}
        page = api.get(path, limit="2", labelSelector="x=y", **query)
        names += [item["metadata"]["name"] for item in page["items"]]
        sizes.append(len(page["items"]))
        token = page["metadata"].get("continue", "")
        if not token:
            break
    assert (names, sizes) == ([f"c{n}" for n in range(5)], [2, 2, 1])


@pytest.mark.call("DELETE a collection")
def test_deleting_a_collection_by_label(api: Api, space: str) -> None:
    path = f"/api/v1/namespaces/{space}/configmaps"
    for name in ("a", "b"):
        body = config_map(name)
        body["metadata"]["labels"] = {"name": name}
        api.call("POST", path, body)
    assert api.call("DELETE", path, labelSelector="name=a").code == 200
    assert api.get(f"{path}/a").code == 404
    assert api.get(f"{path}/b").code == 200


@pytest.mark.call("DELETE")
def test_a_deletion_with_the_wrong_uid_is_refused(api: Api, space: str) -> None:
    path = f"/api/v1/namespaces/{space}/configmaps"
    api.call("POST", path, config_map("c"))
    wrong = api.call("DELETE", f"{path}/c", {"preconditions": {"uid": "not-this-one"}})
    assert wrong.code == 409
    assert api.call("DELETE", f"{path}/c")["status"] == "Success"


@pytest.mark.call("DELETE with finalizers and dependents")
def test_a_finalizer_keeps_a_deleted_object_until_it_is_taken_away(api: Api, space: str) -> None:
    path = f"/api/v1/namespaces/{space}/configmaps"
    body = config_map("c")
    body["metadata"]["finalizers"] = ["rackroll.io/contract"]
    api.call("POST", path, body)
    assert "deletionTimestamp" in api.call("DELETE", f"{path}/c")["metadata"]
    assert api.get(f"{path}/c").code == 200
    api.patch(f"{path}/c", {"metadata": {"finalizers": None}}, "merge")
    assert api.get(f"{path}/c").code == 404


@pytest.mark.call("DELETE with finalizers and dependents")
def test_what_an_owner_held_goes_with_it(api: Api, space: str) -> None:
    path = f"/api/v1/namespaces/{space}/configmaps"
    owner = api.call("POST", path, config_map("owner")).body
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner["metadata"]["uid"]}
    for name in ("kept", "held"):
        body = config_map(name)
        body["metadata"]["ownerReferences"] = [reference] if name == "held" else []
        api.call("POST", path, body)
    api.call("DELETE", f"{path}/owner")
    eventually(lambda: api.get(f"{path}/held").code == 404)
    assert api.get(f"{path}/kept").code == 200


@pytest.mark.call("DELETE a namespace")
def test_a_deleted_namespace_takes_everything_with_it(api: Api, space: str) -> None:
    api.call("POST", f"/api/v1/namespaces/{space}/configmaps", config_map("c"))
    gone = api.call("DELETE", f"/api/v1/namespaces/{space}")
    assert gone.code == 200
    eventually(lambda: api.get(f"/api/v1/namespaces/{space}").code == 404, 60)
    assert api.get(f"/api/v1/namespaces/{space}/configmaps/c").code == 404


@pytest.mark.call("POST")
def test_a_secret_takes_text_and_keeps_its_type(api: Api, space: str) -> None:
    path = f"/api/v1/namespaces/{space}/secrets"
    body: Json = {"metadata": {"name": "s"}, "stringData": {"k": "v"}}
    made = api.call("POST", path, body)
    assert (made["data"], made["type"]) == ({"k": "dg=="}, "Opaque")
    changed = api.call("PUT", f"{path}/s", {**made.body, "type": "other/type"})
    assert (changed.code, changed["reason"]) == (422, "Invalid")


@pytest.mark.call("fieldValidation")
def test_a_misspelt_field_is_refused_where_the_client_asks_for_it(api: Api, space: str) -> None:
    path = f"/apis/policy/v1/namespaces/{space}/poddisruptionbudgets"
    body = {"metadata": {"name": "b"}, "spec": {"minAvailble": 1, "selector": {"matchLabels": {"a": "b"}}}}
    refused = api.call("POST", path, body, fieldValidation="Strict")
    assert (refused.code, refused["reason"]) == (400, "BadRequest")
    assert 'unknown field "spec.minAvailble"' in refused["message"]
    dropped = api.call("POST", path, body, fieldValidation="Ignore")
    assert "minAvailble" not in dropped["spec"]


@pytest.mark.call("fieldValidation")
def test_a_value_of_the_wrong_type_is_always_refused(api: Api, space: str) -> None:
    env = [{"name": "PORT", "value": 8080}]
    pod = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "a", "image": "a:1", "env": env}]}}
    refused = api.call("POST", f"/api/v1/namespaces/{space}/pods", pod)
    assert (refused.code, refused["reason"]) == (400, "BadRequest")
    assert "cannot unmarshal number" in refused["message"]


@pytest.mark.call("fieldValidation")
def test_an_apply_of_a_field_that_does_not_exist_is_refused(api: Api, space: str) -> None:
    """A DaemonSet has an ``updateStrategy``; ``strategy`` is a Deployment's."""
    path = f"/apis/apps/v1/namespaces/{space}/daemonsets/d"
    body = {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": "d"},
        "spec": {"strategy": {"type": "RollingUpdate"}, "selector": {"matchLabels": {"a": "b"}}},
    }
    refused = api.patch(path, body, "apply", fieldManager="one")
    assert (refused.code, refused.body.get("reason")) == (500, None)
    assert ".spec.strategy: field not declared in schema" in refused["message"]
