"""The product's own list-watch, on what API servers do to watches: expiry, bookmarks, and a restart in the middle."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta

import pytest

from rollout.adapters.kube.api import KubeApi, connect
from rollout.adapters.kube.watch import Clock, Collection, State, states, wait_for
from rollout.model.site import Kubernetes
from tests.contract.target import Api, Json, Target, eventually

pytestmark = pytest.mark.call("the product's list-watch")
PATIENCE = timedelta(seconds=60)


class Forgetful(KubeApi):
    """Asks for its first watches from a version of long ago, as if it had been away."""

    def __init__(self, api: KubeApi, times: int) -> None:
        super().__init__(api.client, api.where)
        self.left = times

    @contextmanager
    def stream(self, path: str, query: Mapping[str, str], quiet: float) -> Iterator[Iterator[bytes]]:
        if self.left:
            self.left -= 1
            query = {**query, "resourceVersion": "1"}
        with super().stream(path, query, quiet) as lines:
            yield lines


@pytest.fixture
def kube(target: Target) -> KubeApi:
    return connect(Kubernetes(target.kubeconfig, None, ""))


def config_maps(space: str) -> Collection:
    return Collection(f"/api/v1/namespaces/{space}/configmaps", {"labelSelector": "x=y"})


def add(api: Api, space: str, name: str) -> None:
    body = {"metadata": {"name": name, "labels": {"x": "y"}}}
    eventually(lambda: _posted(api, space, body), 60)


def _posted(api: Api, space: str, body: Json) -> bool:
    """An API server that is starting again may have taken it and lost its answer."""
    try:
        return api.call("POST", f"/api/v1/namespaces/{space}/configmaps", body).code in (201, 409)
    except Exception:  # whatever urllib3 makes of a server that is not there
        return False


def names(state: State) -> set[str]:
    return {item["metadata"]["name"] for item in state.values()}


def both(state: State) -> bool | None:
    return True if {"early", "late"} <= names(state) else None


def test_it_hears_of_what_comes_after_its_list(api: Api, kube: KubeApi, space: str) -> None:
    add(api, space, "early")
    threading.Timer(0.5, add, (api, space, "late")).start()
    assert wait_for(kube, config_maps(space), both, PATIENCE)


def test_what_is_deleted_leaves_the_collection(api: Api, kube: KubeApi, space: str) -> None:
    add(api, space, "early")
    path = f"/api/v1/namespaces/{space}/configmaps/early"
    threading.Timer(0.5, lambda: api.call("DELETE", path)).start()
    assert wait_for(kube, config_maps(space), lambda state: None if state else True, PATIENCE)


def test_one_that_expired_is_listed_again(api: Api, kube: KubeApi, space: str, aged: str) -> None:
    assert aged == "1"
    add(api, space, "early")
    away = Forgetful(kube, times=2)
    threading.Timer(1.0, add, (api, space, "late")).start()
    assert wait_for(away, config_maps(space), both, PATIENCE)
    assert away.left == 0


def test_streams_that_the_server_ends_are_opened_again(api: Api, kube: KubeApi, space: str) -> None:
    class Short(KubeApi):
        opened = 0

        @contextmanager
        def stream(self, path: str, query: Mapping[str, str], quiet: float) -> Iterator[Iterator[bytes]]:
            self.opened += 1
            with super().stream(path, {**query, "timeoutSeconds": "1"}, quiet) as lines:
                yield lines

    brief = Short(kube.client, kube.where)
    add(api, space, "early")
    threading.Timer(1.5, add, (api, space, "late")).start()
    assert wait_for(brief, config_maps(space), both, PATIENCE)
    assert brief.opened > 1


def test_a_restart_of_the_api_server_loses_nothing(
    api: Api, kube: KubeApi, space: str, target: Target
) -> None:
    if target.restart is None:
        pytest.skip("the API server of a cluster that is not ours is not ours to restart")
    add(api, space, "early")
    seen: list[set[str]] = []
    until = time.monotonic() + PATIENCE.total_seconds()
    watching = states(kube, config_maps(space), until, Clock())
    seen.append(names(next(watching)))
    target.restart()
    add(api, space, "late")
    for state in watching:
        seen.append(names(state))
        if both(state):
            break
    assert seen[0] == {"early"}
    assert seen[-1] == {"early", "late"}
    assert all("early" in step for step in seen)
