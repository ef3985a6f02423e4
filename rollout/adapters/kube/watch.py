"""List, then watch, and survive what API servers do to watches: bookmarks, expiry (410), closed streams.

The state that is handed out is always a whole collection, so a caller states its condition on what is,
never on which event came.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TypeVar

from rollout.adapters.kube.api import JsonObject, KubeApi, Refused, failed, parsed
from rollout.errors import Unreachable

T = TypeVar("T")
State = Mapping[str, JsonObject]

GONE = 410
_PAUSE = 0.3  # seconds between two attempts, so that a sick server is not hammered
_SLACK = 5.0  # seconds that a watch may stay silent after the server should have ended it


class Expired(Exception):
    """The server no longer knows our resourceVersion: only a new list helps."""


@dataclass(frozen=True, slots=True)
class Collection:
    """A collection's path, with its label or field selectors as ``query``."""

    path: str
    query: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Clock:
    """Time as seconds that only grow, and a way to let it pass; tests bring their own."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


def wait_for(
    api: KubeApi,
    collection: Collection,
    condition: Callable[[State], T | None],
    timeout: timedelta,
    clock: Clock | None = None,
) -> T | None:
    """What ``condition`` answers first that is not None, or None when ``timeout`` has passed.

    Raises :class:`Unreachable` if the API has not answered once in that time.
    """
    ticking = clock or Clock()
    until = ticking.now() + timeout.total_seconds()
    for state in states(api, collection, until, ticking):
        answer = condition(state)
        if answer is not None:
            return answer
    return None


def states(api: KubeApi, collection: Collection, until: float, clock: Clock) -> Iterator[State]:
    """The collection as listed and after every change, by object uid, until the clock says ``until``."""
    seen = False
    while True:
        try:
            state, version = _list(api, collection)
            seen = True
            yield dict(state)
            yield from _changes(api, collection, state, version, until, clock)
            return
        except Expired:
            pass
        except Unreachable:
            if clock.now() >= until and not seen:
                raise
        if clock.now() >= until:
            return
        clock.sleep(_PAUSE)


def _list(api: KubeApi, collection: Collection) -> tuple[dict[str, JsonObject], str]:
    try:
        found = api.request("GET", collection.path, query=collection.query)
    except Refused as refused:
        raise failed(refused, api.where, f"cannot list {collection.path}") from None
    items = {_key(item): item for item in found.get("items") or []}
    return items, str(found.get("metadata", {}).get("resourceVersion", ""))


def _changes(
    api: KubeApi,
    collection: Collection,
    state: dict[str, JsonObject],
    version: str,
    until: float,
    clock: Clock,
) -> Iterator[State]:
    """A stream that the server ends is opened again where it stopped; bookmarks move that place on."""
    while (left := until - clock.now()) > 0:
        query = {
            **collection.query,
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": version,
            "timeoutSeconds": str(max(math.ceil(left), 1)),
        }
        before = clock.now()
        for event in _events(api, collection, query, left + _SLACK):
            version = _version(event) or version
            if _applied(event, state):
                yield dict(state)
            if clock.now() >= until:
                return
        if clock.now() - before < _PAUSE:
            clock.sleep(_PAUSE)


def _events(
    api: KubeApi, collection: Collection, query: Mapping[str, str], quiet: float
) -> Iterator[JsonObject]:
    try:
        with api.stream(collection.path, query, quiet) as lines:
            for line in lines:
                event = parsed(line, api.where)
                if event.get("type") == "ERROR":
                    raise Expired
                yield event
    except Refused as refused:
        if refused.refusal.code == GONE:
            raise Expired from None
        raise failed(refused, api.where, f"cannot watch {collection.path}") from None


def _applied(event: JsonObject, state: dict[str, JsonObject]) -> bool:
    """Whether the event changed the collection; an unknown type is as harmless as a bookmark."""
    kept = event.get("object") or {}
    match event.get("type"):
        case "ADDED" | "MODIFIED":
            state[_key(kept)] = kept
            return True
        case "DELETED":
            state.pop(_key(kept), None)
            return True
        case _:
            return False


def _version(event: JsonObject) -> str:
    return str((event.get("object") or {}).get("metadata", {}).get("resourceVersion") or "")


def _key(item: JsonObject) -> str:
    """Names come back after a deletion, uids do not; objects of tests and odd servers may lack a uid."""
    meta = item.get("metadata", {})
    return str(meta.get("uid") or f"{meta.get('namespace', '')}/{meta.get('name', '')}")
