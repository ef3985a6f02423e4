"""A local copy of a real cluster: what a late or an early snapshot may and may not do to it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from lab.kube.collection import Event, EventType
from lab.kube.deletion import NOW
from lab.kube.errors import ApiError, Conflict, NotFound
from lab.kube.objects import Obj
from lab.kube.resource import NODES, PODS, Resource
from lab.real.mirror import Mirror
from rollout.adapters.kube.api import KubeApi, Refusal, Refused
from rollout.errors import Unreachable


@dataclass
class Api:
    """Answers each request with what was put there for it."""

    answers: dict[str, Obj | Exception] = field(default_factory=dict)
    asked: list[tuple[str, str, Any]] = field(default_factory=list)

    def request(self, method: str, path: str, *, body: object = None, content_type: str = "") -> Obj:
        assert content_type
        self.asked.append((method, path, body))
        found = self.answers[f"{method} {path}"]
        if isinstance(found, Exception):
            raise found
        return found


def pod(name: str, version: int, uid: str = "", **status: object) -> Obj:
    meta = {"namespace": "ns", "name": name, "uid": uid or f"uid-{name}", "resourceVersion": str(version)}
    return {"metadata": meta, "spec": {"nodeName": "n1"}, "status": status}


@pytest.fixture
def api() -> Api:
    return Api()


@pytest.fixture
def mirror(api: Api) -> Mirror:
    return Mirror(cast(KubeApi, api))


def learn(mirror: Mirror, *pods: Obj) -> None:
    mirror._learn(PODS, {item["metadata"]["uid"]: item for item in pods})


def names(mirror: Mirror) -> list[str]:
    return [item["metadata"]["name"] for item in mirror.list(PODS, "ns")]


def test_listeners_hear_what_a_snapshot_changed_and_nothing_else(mirror: Mirror) -> None:
    heard: list[Event] = []
    mirror.subscribe(PODS, heard.append)
    learn(mirror, pod("a", 1), pod("b", 2))
    learn(mirror, pod("a", 1), pod("c", 3))
    told = [(event.type, event.object["metadata"]["name"]) for event in heard]
    added, gone = EventType.ADDED, EventType.DELETED
    assert told == [(added, "a"), (added, "b"), (gone, "b"), (added, "c")]


def test_items_of_a_list_get_the_kind_that_a_list_leaves_out(mirror: Mirror) -> None:
    learn(mirror, pod("a", 1))
    assert mirror.require(PODS, "ns", "a")["kind"] == "Pod"


def test_a_snapshot_older_than_our_own_write_does_not_undo_it(api: Api, mirror: Mirror) -> None:
    learn(mirror, pod("a", 5))
    api.answers["PATCH /api/v1/namespaces/ns/pods/a/status"] = pod("a", 9, phase="Running")
    mirror.patch_status(PODS, "ns", "a", {"phase": "Running"})
    learn(mirror, pod("a", 5))
    assert mirror.require(PODS, "ns", "a")["status"] == {"phase": "Running"}


def test_a_pod_that_we_removed_does_not_come_back_with_a_late_snapshot(api: Api, mirror: Mirror) -> None:
    learn(mirror, pod("a", 5))
    api.answers["DELETE /api/v1/namespaces/ns/pods/a"] = {}
    mirror.delete(PODS, "ns", "a", NOW)
    learn(mirror, pod("a", 5))
    assert names(mirror) == []
    learn(mirror, pod("a", 11, uid="another-life"))
    assert names(mirror) == ["a"]


def test_what_we_created_stays_until_a_snapshot_has_seen_it(api: Api, mirror: Mirror) -> None:
    made = {"metadata": {"name": "n1", "uid": "u", "resourceVersion": "7"}}
    api.answers["POST /api/v1/nodes"] = made
    mirror.create(NODES, {"metadata": {"name": "n1"}})
    mirror._learn(NODES, {})
    assert mirror.get(NODES, None, "n1") is not None
    mirror._learn(NODES, {"u": made})
    mirror._learn(NODES, {})
    assert mirror.get(NODES, None, "n1") is None


def test_a_status_that_is_so_already_is_not_written(api: Api, mirror: Mirror) -> None:
    learn(mirror, pod("a", 5, phase="Running"))
    mirror.patch_status(PODS, "ns", "a", {"phase": "Running"})
    assert api.asked == []


def test_a_deletion_asks_for_this_very_pod_only(api: Api, mirror: Mirror) -> None:
    api.answers["DELETE /api/v1/namespaces/ns/pods/a"] = {}
    learn(mirror, pod("a", 5))
    mirror.delete(PODS, "ns", "a", NOW)
    ((_, _, body),) = api.asked
    assert body["gracePeriodSeconds"] == 0


@pytest.mark.parametrize(
    ("answer", "raised"),
    [
        (Refused(Refusal(404, "NotFound", "no such pod")), NotFound),
        (Refused(Refusal(409, "Conflict", "moved on")), Conflict),
        (Refused(Refusal(422, "Invalid", "bad")), ApiError),
        (Unreachable("nobody answers"), ApiError),
    ],
)
def test_agents_see_the_errors_that_they_know(
    api: Api, mirror: Mirror, answer: Exception, raised: type[ApiError]
) -> None:
    api.answers["PATCH /api/v1/namespaces/ns/pods/a"] = answer
    with pytest.raises(raised):
        mirror.patch(PODS, "ns", "a", {"metadata": {"labels": {"x": "y"}}})


def test_what_is_replaced_is_known_at_once(api: Api, mirror: Mirror) -> None:
    learn(mirror, pod("a", 1))
    api.answers["PUT /api/v1/namespaces/ns/pods/a"] = pod("a", 2, phase="Running")
    mirror.update(PODS, pod("a", 1))
    found = mirror.get(PODS, "ns", "a")
    assert found is not None
    assert found["status"] == {"phase": "Running"}


def test_a_resource_of_a_definition_that_comes_later_is_served_from_its_first_list_on(mirror: Mirror) -> None:
    later = Resource("example.io", "v1", "things", "Thing")
    assert later.key not in {known.key for known in mirror.resources()}
    mirror._learn(
        later, {"u": {"metadata": {"namespace": "ns", "name": "t", "uid": "u", "resourceVersion": "1"}}}
    )
    assert [item["kind"] for item in mirror.list(later, "ns")] == ["Thing"]
