"""Watches: what comes, what is filtered, how they end, and when the past is gone."""

from __future__ import annotations

import threading

import pytest

from tests.contract.target import Api, Json


def config_map(name: str, **labels: str) -> Json:
    return {"metadata": {"name": name, "labels": labels}}


def seen(events: list[Json]) -> list[str]:
    return [
        f"{event['type']} {event['object']['metadata']['name']}"
        for event in events
        if event["type"] != "BOOKMARK" and event["object"]["metadata"]["name"] != "kube-root-ca.crt"
    ]


@pytest.mark.call("WATCH from a list")
def test_a_watch_from_a_list_misses_nothing(api: Api, space: str) -> None:
    path = f"/api/v1/namespaces/{space}/configmaps"
    version = api.get(path)["metadata"]["resourceVersion"]
    api.call("POST", path, config_map("a"))
    api.patch(f"{path}/a", {"data": {"k": "v"}}, "merge")
    api.call("DELETE", f"{path}/a")
    events = api.lines(path, resourceVersion=version, timeoutSeconds="1")
    assert seen(events) == ["ADDED a", "MODIFIED a", "DELETED a"]


@pytest.mark.call("WATCH from a list")
def test_a_watch_hears_of_what_happens_while_it_runs(api: Api, space: str) -> None:
    path = f"/api/v1/namespaces/{space}/configmaps"
    version = api.get(path)["metadata"]["resourceVersion"]
    threading.Timer(0.3, lambda: api.call("POST", path, config_map("late"))).start()
    events = api.lines(path, resourceVersion=version, timeoutSeconds="2")
    assert seen(events) == ["ADDED late"]


@pytest.mark.call("WATCH from a list")
def test_leaving_a_selector_looks_like_a_deletion(api: Api, space: str) -> None:
    path = f"/api/v1/namespaces/{space}/configmaps"
    version = api.get(path)["metadata"]["resourceVersion"]
    api.call("POST", path, config_map("a", tier="web"))
    api.call("POST", path, config_map("b", tier="db"))
    api.patch(f"{path}/a", {"metadata": {"labels": {"tier": "db"}}}, "merge")
    api.patch(f"{path}/b", {"metadata": {"labels": {"tier": "web"}}}, "merge")
    events = api.lines(path, resourceVersion=version, timeoutSeconds="1", labelSelector="tier=web")
    assert seen(events) == ["ADDED a", "DELETED a", "ADDED b"]


@pytest.mark.call("WATCH from a list")
def test_one_object_can_be_watched_by_field(api: Api, space: str) -> None:
    path = f"/api/v1/namespaces/{space}/configmaps"
    version = api.get(path)["metadata"]["resourceVersion"]
    for name in ("a", "b"):
        api.call("POST", path, config_map(name))
    events = api.lines(path, resourceVersion=version, timeoutSeconds="1", fieldSelector="metadata.name=b")
    assert seen(events) == ["ADDED b"]


@pytest.mark.call("WATCH from a version that is gone (410)")
def test_a_version_from_long_ago_is_gone(api: Api, space: str, aged: str) -> None:
    path = f"/api/v1/namespaces/{space}/configmaps"
    answer = api.get(path, watch="true", resourceVersion=aged, timeoutSeconds="2")
    body = answer.body
    status = body["object"] if isinstance(body, dict) and body.get("type") == "ERROR" else body
    assert status["code"] == 410
    assert status["reason"] in ("Expired", "Gone")


@pytest.mark.call("WATCH with bookmarks")
def test_initial_events_end_with_a_bookmark(api: Api, space: str) -> None:
    path = f"/api/v1/namespaces/{space}/configmaps"
    api.call("POST", path, config_map("a"))
    events = api.lines(
        path,
        sendInitialEvents="true",
        allowWatchBookmarks="true",
        resourceVersionMatch="NotOlderThan",
        timeoutSeconds="1",
    )
    assert "ADDED a" in seen(events)
    marks = [e["object"]["metadata"] for e in events if e["type"] == "BOOKMARK"]
    assert marks[0]["annotations"] == {"k8s.io/initial-events-end": "true"}
    assert int(marks[0]["resourceVersion"]) > 0


@pytest.mark.call("WATCH with bookmarks")
def test_a_quiet_watch_hears_how_far_it_is_before_it_ends(api: Api, space: str) -> None:
    """Else a watch of a quiet collection would have to be listed again after every break."""
    path = f"/api/v1/namespaces/{space}/configmaps"
    version = api.get(path, labelSelector="x=y")["metadata"]["resourceVersion"]
    api.call("POST", path, config_map("elsewhere"))
    events = api.lines(
        path, resourceVersion=version, allowWatchBookmarks="true", timeoutSeconds="8", labelSelector="x=y"
    )
    assert {event["type"] for event in events} == {"BOOKMARK"}
    meta = events[-1]["object"]["metadata"]
    assert int(meta["resourceVersion"]) >= int(version)
    assert events[-1]["object"]["kind"] == "ConfigMap"


@pytest.mark.call("WATCH with bookmarks")
def test_who_does_not_ask_for_bookmarks_gets_none(api: Api, space: str) -> None:
    path = f"/api/v1/namespaces/{space}/configmaps"
    version = api.get(path)["metadata"]["resourceVersion"]
    events = api.lines(path, resourceVersion=version, timeoutSeconds="3", labelSelector="x=y")
    assert events == []
