"""Lists of the API: whole collections page by page, and what becomes of a page that the server has forgotten."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rollout.adapters.kube.api import KubeApi, connect
from rollout.adapters.kube.reading import PAGE, listed
from rollout.adapters.kube.view import NodeView
from rollout.errors import StepFailed, Unreachable
from tests.unit.kubeapi import FakeApi, fake_api, status

NODES = "/api/v1/nodes"


@pytest.fixture
def server() -> Iterator[FakeApi]:
    with fake_api() as server:
        yield server


@pytest.fixture
def api(server: FakeApi, tmp_path: Path) -> KubeApi:
    return connect(server.kubernetes(tmp_path))


def page(*names: str, more: str = "") -> dict[str, Any]:
    return {"metadata": {"continue": more}, "items": [{"metadata": {"name": name}} for name in names]}


def names(api: KubeApi, **query: str) -> list[str]:
    return [node.metadata.name for node in listed(api, NodeView, NODES, **query)]


def test_a_whole_collection_comes_page_by_page(server: FakeApi, api: KubeApi) -> None:
    server.on(f"GET {NODES}", page("a", "b", more="x"), page("c", more="y"), page("d"))
    assert names(api) == ["a", "b", "c", "d"]
    assert [asked.query.get("continue") for asked in server.asked] == [None, "x", "y"]
    assert {asked.query["limit"] for asked in server.asked} == {str(PAGE)}


def test_a_page_that_the_server_has_forgotten_makes_us_ask_for_everything_once(
    server: FakeApi, api: KubeApi
) -> None:
    server.on(f"GET {NODES}", page("a", more="x"), status(410, "Expired", "too old"), page("a", "b"))
    assert names(api) == ["a", "b"]
    assert server.asked[-1].query == {}


def test_a_selection_is_not_paged(server: FakeApi, api: KubeApi) -> None:
    server.on(f"GET {NODES}", page("a"))
    assert names(api, labelSelector="x=y") == ["a"]
    assert server.asked[0].query == {"labelSelector": "x=y"}


def test_a_refusal_in_the_middle_is_told_as_it_is(server: FakeApi, api: KubeApi) -> None:
    server.on(f"GET {NODES}", page("a", more="x"), status(403, "Forbidden", "no more"))
    with pytest.raises(StepFailed, match="no more"):
        names(api)


def test_a_list_of_nothing_may_say_null(server: FakeApi, api: KubeApi) -> None:
    server.on(f"GET {NODES}", {"metadata": None, "items": None})
    assert names(api) == []


def test_one_odd_object_is_named_by_its_place_in_the_list(server: FakeApi, api: KubeApi) -> None:
    server.on(f"GET {NODES}", {"items": [{"metadata": {"name": "a"}}, {"metadata": {"name": None}}]})
    with pytest.raises(Unreachable, match=r"items\.1\.metadata\.name"):
        names(api)
