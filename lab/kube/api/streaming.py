"""Watch over HTTP: one JSON line per event, bookmarks, an end by timeout, 410 as an ERROR event."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass

from aiohttp import web

from lab.kube.api.bodies import Encoder, dumps
from lab.kube.api.fields import check_fields
from lab.kube.api.printing import table
from lab.kube.api.reading import partial, wants_metadata, wants_table
from lab.kube.api.request import Target, integer, query
from lab.kube.collection import Event, EventType
from lab.kube.errors import ApiError, BadRequest
from lab.kube.objects import Obj, labels_of, name_of, namespace_of
from lab.kube.selectors import FieldSelector, Selector, parse_fields, parse_labels
from lab.kube.store import Store
from lab.kube.watching import Watch

_BOOKMARK_EVERY = 30.0
_LONGEST = 1800.0
_HEADERS = {"Content-Type": "application/json", "Cache-Control": "no-cache"}


@dataclass(frozen=True, slots=True)
class Scope:
    """What this watcher may see; an object that moves in or out looks like one that comes or goes."""

    namespace: str | None
    name: str
    labels: Selector
    fields: FieldSelector

    def holds(self, obj: Obj | None) -> bool:
        return (
            obj is not None
            and (not self.namespace or namespace_of(obj) == self.namespace)
            and (not self.name or name_of(obj) == self.name)
            and self.labels.matches(labels_of(obj))
            and self.fields.matches(obj)
        )

    def seen(self, event: Event) -> EventType | None:
        before, after = self.holds(event.old), self.holds(event.object)
        if event.type is EventType.DELETED:
            return EventType.DELETED if before or after else None
        if after:
            return EventType.MODIFIED if before else EventType.ADDED
        return EventType.DELETED if before else None


class Streamer:
    def __init__(self, store: Store, encoder: Encoder) -> None:
        self._store = store
        self._encoder = encoder

    async def stream(self, request: web.Request, where: Target) -> web.StreamResponse:
        scope = _scope(request, where)
        initial = _flag(request, "sendInitialEvents")
        watch = self._store.watch(where.resource, since=None if initial else _since(request))
        response = web.StreamResponse(headers=_HEADERS)
        try:
            await response.prepare(request)
            head = self._lines(request, where, scope, watch.drain())
            if initial:
                head += self._bookmark(where, initial_end=True)
            if head:
                await response.write(head)
            async for events in _batches(watch, _timeout(request)):
                lines = self._lines(request, where, scope, events)
                if not events and _flag(request, "allowWatchBookmarks"):
                    lines = self._bookmark(where)
                if lines:
                    await response.write(lines)
        except ApiError as error:
            await response.write(dumps({"type": "ERROR", "object": error.status()}) + b"\n")
        except ConnectionError:
            pass  # the watcher left
        finally:
            watch.close()
        return response

    def _lines(self, request: web.Request, where: Target, scope: Scope, events: list[Event]) -> bytes:
        return b"".join(self._line(request, where, scope, event) for event in events)

    def _line(self, request: web.Request, where: Target, scope: Scope, event: Event) -> bytes:
        kind = scope.seen(event)
        if kind is None:
            return b""
        obj = event.object
        if wants_table(request):
            include = request.query.get("includeObject", "Metadata")
            shown = table(where.resource, [obj], "", include, self._store.clock.now())
            body = dumps(shown)
        elif wants_metadata(request):
            body = dumps(partial(obj))
        else:
            body = self._encoder.object(obj, where.resource.api_version)
        return b'{"type":"' + kind.value.encode() + b'","object":' + body + b"}\n"

    def _bookmark(self, where: Target, *, initial_end: bool = False) -> bytes:
        meta: Obj = {"resourceVersion": str(self._store.version)}
        if initial_end:
            meta["annotations"] = {"k8s.io/initial-events-end": "true"}
        head = {"kind": where.resource.kind, "apiVersion": where.resource.api_version}
        return dumps({"type": "BOOKMARK", "object": {**head, "metadata": meta}}) + b"\n"


async def _batches(watch: Watch, seconds: float) -> AsyncIterator[list[Event]]:
    """What is waiting, again and again until the time is up; an empty batch when it has long been quiet."""
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    while (left := until - loop.time()) > 0:
        with suppress(TimeoutError):
            await asyncio.wait_for(watch.wait(), min(left, _BOOKMARK_EVERY))
        yield watch.drain()


def _scope(request: web.Request, where: Target) -> Scope:
    asked = query(request)
    labels, fields = parse_labels(asked.label_selector), parse_fields(asked.field_selector)
    check_fields(where.resource, fields)
    return Scope(where.namespace, where.name, labels, fields)


def _flag(request: web.Request, name: str) -> bool:
    return request.query.get(name, "").lower() in ("true", "1")


def _timeout(request: web.Request) -> float:
    return min(float(integer(request, "timeoutSeconds") or _LONGEST), _LONGEST)


def _since(request: web.Request) -> int | None:
    text = request.query.get("resourceVersion", "")
    if text in ("", "0"):
        return None
    if not text.isdigit():
        raise BadRequest(f"invalid resourceVersion {text!r}")
    return int(text)
