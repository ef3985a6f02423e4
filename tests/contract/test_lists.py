"""Lists: pages that belong together, and the fields that the product selects by."""

from __future__ import annotations

import pytest

from tests.contract.target import Answer, Api
from tests.contract.workloads import bare_pod, running

LIST, PAGES = "LIST by labels and fields", "LIST in pages"


def config_maps(api: Api, space: str, count: int) -> str:
    path = f"/api/v1/namespaces/{space}/configmaps"
    for number in range(count):
        body = {"metadata": {"name": f"c{number}", "labels": {"x": "y"}}}
        assert api.call("POST", path, body).code == 201
    return path


def names(found: Answer) -> list[str]:
    return [item["metadata"]["name"] for item in found["items"]]


@pytest.mark.call(PAGES)
def test_a_watch_from_the_first_page_hears_what_happened_between_the_pages(api: Api, space: str) -> None:
    path = config_maps(api, space, 3)
    first = api.get(path, limit="2", labelSelector="x=y")
    late = api.call("POST", path, {"metadata": {"name": "c9", "labels": {"x": "y"}}})
    assert late.code == 201
    rest = api.get(path, limit="2", labelSelector="x=y", **{"continue": first["metadata"]["continue"]})
    assert rest["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
    version = rest["metadata"]["resourceVersion"]
    events = api.lines(path, resourceVersion=version, labelSelector="x=y", timeoutSeconds="1")
    assert [(e["type"], e["object"]["metadata"]["name"]) for e in events] == [("ADDED", "c9")]


@pytest.mark.call(PAGES)
def test_pages_are_of_the_moment_of_the_first(api: Api, space: str) -> None:
    path = config_maps(api, space, 3)
    first = api.get(path, limit="2", labelSelector="x=y")
    api.call("POST", path, {"metadata": {"name": "c9", "labels": {"x": "y"}}})
    api.call("DELETE", f"{path}/c2")
    rest = api.get(path, limit="2", labelSelector="x=y", **{"continue": first["metadata"]["continue"]})
    assert names(rest) == ["c2"]


@pytest.mark.call(PAGES)
def test_how_many_are_left_is_told_only_without_a_selector(api: Api, space: str) -> None:
    path = config_maps(api, space, 3)
    first = api.get(path, limit="2")["metadata"]
    rest = api.get(path, limit="100", **{"continue": first["continue"]})
    assert 1 <= first["remainingItemCount"] == len(rest["items"])
    chosen = api.get(path, limit="2", labelSelector="x=y")
    assert "continue" in chosen["metadata"]
    assert "remainingItemCount" not in chosen["metadata"]


@pytest.mark.call(PAGES)
def test_a_made_up_place_to_continue_from_is_refused(api: Api, space: str) -> None:
    refused = api.get(f"/api/v1/namespaces/{space}/configmaps", limit="2", **{"continue": "nonsense"})
    assert (refused.code, refused["reason"]) == (400, "BadRequest")


@pytest.mark.call(LIST)
def test_pods_are_found_by_node_and_phase(api: Api, space: str) -> None:
    path = running(api, space, bare_pod("p"))
    node = api.get(path)["spec"]["nodeName"]
    where = path.rpartition("/")[0]
    assert names(api.get(where, fieldSelector=f"spec.nodeName={node}")) == ["p"]
    assert names(api.get(where, fieldSelector=f"spec.nodeName!={node}")) == []
    assert names(api.get(where, fieldSelector=f"spec.nodeName={node},status.phase=Running")) == ["p"]
    assert names(api.get(where, fieldSelector="status.phase!=Running")) == []
    everywhere = api.get("/api/v1/pods", fieldSelector=f"metadata.namespace={space}")
    assert names(everywhere) == ["p"]


@pytest.mark.call(LIST)
def test_nodes_are_found_by_name_and_cordon(api: Api) -> None:
    name = names(api.get("/api/v1/nodes"))[0]
    assert names(api.get("/api/v1/nodes", fieldSelector=f"metadata.name={name}")) == [name]
    assert names(api.get("/api/v1/nodes", fieldSelector="metadata.name=nobody")) == []
    api.patch(f"/api/v1/nodes/{name}", {"spec": {"unschedulable": True}}, "merge")
    try:
        assert names(api.get("/api/v1/nodes", fieldSelector="spec.unschedulable=true")) == [name]
    finally:
        api.patch(f"/api/v1/nodes/{name}", {"spec": {"unschedulable": None}}, "merge")


@pytest.mark.call(LIST)
@pytest.mark.parametrize("kind", ["pods", "configmaps"])
def test_a_field_that_is_no_selector_is_refused(api: Api, space: str, kind: str) -> None:
    refused = api.get(f"/api/v1/namespaces/{space}/{kind}", fieldSelector="spec.colour=red")
    assert (refused.code, refused["reason"]) == (400, "BadRequest")
    assert "spec.colour" in refused["message"]


@pytest.mark.call(LIST)
def test_a_collection_of_every_namespace_has_the_objects_of_one(api: Api, space: str) -> None:
    config_maps(api, space, 2)
    found = api.get("/api/v1/configmaps", labelSelector="x=y")
    mine = [item["metadata"]["name"] for item in found["items"] if item["metadata"]["namespace"] == space]
    assert mine == ["c0", "c1"]
    assert found["kind"] == "ConfigMapList"
