"""Waiting for a condition on a collection, whatever the API server does to the watch."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from rollout.adapters.kube.api import KubeApi, connect
from rollout.adapters.kube.watch import Clock, Collection, State, wait_for
from rollout.errors import StepFailed, Unreachable
from tests.unit.kubeapi import FakeApi, fake_api, status

PATH = "/api/v1/pods"
PODS = Collection(PATH, {"labelSelector": "app=gw"})
SOON = timedelta(seconds=5)


class Ticks:
    """A clock that stands still but for sleeping, and a second at each reading."""

    def __init__(self) -> None:
        self.time = 0.0

    def now(self) -> float:
        self.time += 0.1
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds

    @property
    def clock(self) -> Clock:
        return Clock(self.now, self.sleep)


@pytest.fixture
def fake() -> Iterator[FakeApi]:
    with fake_api() as api:
        yield api


@pytest.fixture
def api(fake: FakeApi, tmp_path: Path) -> KubeApi:
    return connect(fake.kubernetes(tmp_path))


def pod(name: str, version: int, phase: str = "Pending") -> dict[str, Any]:
    meta = {"name": name, "uid": f"uid-{name}", "resourceVersion": str(version)}
    return {"metadata": meta, "phase": phase}


def listing(version: int, *pods: dict[str, Any]) -> dict[str, Any]:
    return {"metadata": {"resourceVersion": str(version)}, "items": list(pods)}


def event(kind: str, item: dict[str, Any]) -> dict[str, Any]:
    return {"type": kind, "object": item}


def running(count: int) -> Any:
    def condition(state: State) -> list[str] | None:
        names = [item["metadata"]["name"] for item in state.values() if item["phase"] == "Running"]
        return sorted(names) if len(names) == count else None

    return condition


def watches(fake: FakeApi) -> list[str]:
    return [asked.query["resourceVersion"] for asked in fake.asked if asked.query.get("watch")]


def test_a_condition_that_already_holds_needs_no_watch(fake: FakeApi, api: KubeApi) -> None:
    fake.on(f"GET {PATH}", listing(5, pod("a", 4, "Running")))
    assert wait_for(api, PODS, running(1), SOON, Ticks().clock) == ["a"]
    assert watches(fake) == []
    assert fake.asked[0].query == {"labelSelector": "app=gw"}


def test_changes_come_by_watch_from_the_lists_version_on(fake: FakeApi, api: KubeApi) -> None:
    fake.on(f"GET {PATH}", listing(5, pod("a", 4, "Running"), pod("old", 3)))
    fake.on(
        f"WATCH {PATH}",
        [
            event("DELETED", pod("old", 6)),
            event("ADDED", pod("ü", 7)),
            event("MODIFIED", pod("ü", 8, "Running")),
        ],
    )
    assert wait_for(api, PODS, running(2), SOON, Ticks().clock) == ["a", "ü"]
    assert watches(fake) == ["5"]
    assert fake.asked[-1].query["allowWatchBookmarks"] == "true"


def test_a_stream_that_ends_goes_on_from_the_last_bookmark(fake: FakeApi, api: KubeApi) -> None:
    fake.on(f"GET {PATH}", listing(5, pod("a", 4)))
    bookmark = event("BOOKMARK", {"metadata": {"resourceVersion": "90"}})
    fake.on(f"WATCH {PATH}", [bookmark], [event("MODIFIED", pod("a", 91, "Running"))])
    assert wait_for(api, PODS, running(1), SOON, Ticks().clock) == ["a"]
    assert watches(fake) == ["5", "90"]


@pytest.mark.parametrize("how", ["as an event", "as an answer"])
def test_an_expired_version_lists_anew(fake: FakeApi, api: KubeApi, how: str) -> None:
    expired = status(410, "Expired", "too old resource version")
    fake.on(f"GET {PATH}", listing(5, pod("a", 4)), listing(200, pod("a", 150, "Running")))
    fake.on(f"WATCH {PATH}", [event("ERROR", expired.body)] if how == "as an event" else expired)
    assert wait_for(api, PODS, running(1), SOON, Ticks().clock) == ["a"]


def test_what_was_deleted_while_nobody_watched_is_gone_after_the_new_list(
    fake: FakeApi, api: KubeApi
) -> None:
    fake.on(f"GET {PATH}", listing(5, pod("a", 4, "Running"), pod("b", 4, "Running")), listing(9))
    fake.on(f"WATCH {PATH}", status(410, "Expired", "too old"))
    assert wait_for(api, PODS, running(0), SOON, Ticks().clock) == []


def test_time_runs_out_without_an_answer_but_without_an_error(fake: FakeApi, api: KubeApi) -> None:
    fake.on(f"GET {PATH}", listing(5, pod("a", 4)))
    fake.on(f"WATCH {PATH}", [])
    assert wait_for(api, PODS, running(1), SOON, Ticks().clock) is None
    assert len(watches(fake)) < 20, "an empty stream must not become a busy loop"


def test_an_api_that_comes_back_in_time_is_waited_for(fake: FakeApi, api: KubeApi) -> None:
    down = status(503, "", "starting")
    fake.on(f"GET {PATH}", down, down, listing(5, pod("a", 4, "Running")))
    assert wait_for(api, PODS, running(1), SOON, Ticks().clock) == ["a"]


def test_an_api_that_never_answers_is_unreachable(fake: FakeApi, api: KubeApi) -> None:
    fake.on(f"GET {PATH}", status(503, "", "starting"))
    with pytest.raises(Unreachable):
        wait_for(api, PODS, running(1), SOON, Ticks().clock)


def test_a_collection_that_may_not_be_read_fails_at_once(fake: FakeApi, api: KubeApi) -> None:
    fake.on(f"GET {PATH}", status(403, "Forbidden", "no pods for you"))
    with pytest.raises(StepFailed, match="no pods for you"):
        wait_for(api, PODS, running(1), SOON, Ticks().clock)
