"""Creating and rehearsing: names that the server makes, names that it refuses, and dryRun."""

from __future__ import annotations

import re

import pytest

from tests.contract.target import Api, Json

DRY = "dryRun=All"


def config_map(name: str, **data: str) -> Json:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


@pytest.mark.call("POST")
def test_the_server_ends_a_name_that_is_only_begun(api: Api, space: str) -> None:
    path = f"/api/v1/namespaces/{space}/configmaps"
    made = [api.call("POST", path, {"metadata": {"generateName": "run-"}}) for _ in range(2)]
    found = {each["metadata"]["name"] for each in made}
    assert len(found) == 2
    assert all(re.fullmatch("run-[a-z0-9]{5}", name) for name in found)
    assert {each["metadata"]["generateName"] for each in made} == {"run-"}


@pytest.mark.call("POST")
@pytest.mark.parametrize("name", ["Upper", "with_line", "-begins", "a" * 254])
def test_a_name_that_dns_cannot_say_is_invalid(api: Api, space: str, name: str) -> None:
    refused = api.call("POST", f"/api/v1/namespaces/{space}/configmaps", config_map(name))
    assert (refused.code, refused["reason"]) == (422, "Invalid")
    assert refused["details"]["causes"][0]["field"] == "metadata.name"


@pytest.mark.call("POST")
def test_an_object_without_any_name_is_refused(api: Api, space: str) -> None:
    refused = api.call("POST", f"/api/v1/namespaces/{space}/configmaps", {"data": {"k": "v"}})
    assert refused.code == 422
    assert "name or generateName is required" in refused["message"]


@pytest.mark.call("PUT")
def test_a_put_of_what_is_not_there_is_not_found(api: Api, space: str) -> None:
    missing = api.call("PUT", f"/api/v1/namespaces/{space}/configmaps/c", config_map("c"))
    assert (missing.code, missing["reason"]) == (404, "NotFound")


@pytest.mark.call("PUT")
def test_a_put_for_another_life_of_the_object_conflicts(api: Api, space: str) -> None:
    path = f"/api/v1/namespaces/{space}/configmaps"
    old = api.call("POST", path, config_map("c")).body
    api.call("DELETE", f"{path}/c")
    api.call("POST", path, config_map("c"))
    del old["metadata"]["resourceVersion"]
    stale = api.call("PUT", f"{path}/c", old)
    assert (stale.code, stale["reason"]) == (409, "Conflict")


@pytest.mark.call(DRY)
def test_a_rehearsed_patch_shows_what_would_be(api: Api, space: str) -> None:
    path = f"/api/v1/namespaces/{space}/configmaps"
    api.call("POST", path, config_map("c", k="1"))
    shown = api.patch(f"{path}/c", {"data": {"k": "2"}}, "merge", dryRun="All")
    assert shown["data"] == {"k": "2"}
    assert api.get(f"{path}/c")["data"] == {"k": "1"}


@pytest.mark.call(DRY)
def test_a_rehearsed_apply_still_meets_its_conflicts(api: Api, space: str) -> None:
    path = f"/api/v1/namespaces/{space}/configmaps/c"
    assert api.patch(path, config_map("c", k="1"), "apply", fieldManager="one", dryRun="All").code == 201
    assert api.get(path).code == 404
    api.patch(path, config_map("c", k="1"), "apply", fieldManager="one")
    refused = api.patch(path, config_map("c", k="2"), "apply", fieldManager="two", dryRun="All")
    assert (refused.code, refused["reason"]) == (409, "Conflict")


@pytest.mark.call(DRY)
def test_a_rehearsed_deletion_leaves_the_object(api: Api, space: str) -> None:
    path = f"/api/v1/namespaces/{space}/configmaps"
    api.call("POST", path, config_map("c"))
    assert api.call("DELETE", f"{path}/c", dryRun="All").code == 200
    found = api.get(f"{path}/c")
    assert found.code == 200
    assert "deletionTimestamp" not in found["metadata"]


@pytest.mark.call(DRY)
def test_nothing_else_than_all_can_be_rehearsed(api: Api, space: str) -> None:
    path = f"/api/v1/namespaces/{space}/configmaps"
    assert api.call("POST", path, config_map("c"), dryRun="Some").code in (400, 422)
    assert api.get(f"{path}/c").code == 404


@pytest.mark.call("fieldValidation")
def test_a_misspelt_field_is_warned_of_where_nothing_is_asked(api: Api, space: str) -> None:
    body = {**config_map("c"), "dta": {"k": "v"}}
    made = api.call("POST", f"/api/v1/namespaces/{space}/configmaps", body)
    assert (made.code, "dta" in made.body) == (201, False)
    assert made.headers.get("Warning") == '299 - "unknown field \\"dta\\""'
