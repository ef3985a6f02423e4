"""A real cluster as the node agents see it: reads from a local copy, writes to the API.

The agents were written against the simulated store. This is the same interface over a list-watch (the product's
own), so that one kubelet serves both labs.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from lab.kube import deletion
from lab.kube.collection import Event, EventType, Place
from lab.kube.errors import ApiError, Conflict, NotFound
from lab.kube.objects import Obj, merged, uid_of
from lab.kube.resource import (
    CONFIG_MAPS,
    DEPLOYMENTS,
    ENDPOINT_SLICES,
    LEASES,
    NAMESPACES,
    NODES,
    PODS,
    SECRETS,
    SERVICES,
    Resource,
)
from lab.kube.store import Store
from rollout.adapters.kube.api import MERGE, JsonObject, KubeApi, Refused
from rollout.adapters.kube.watch import Clock, Collection, states
from rollout.errors import RackrollError

_log = logging.getLogger(__name__)
FOLLOWED: tuple[Resource, ...] = (
    NAMESPACES,
    NODES,
    PODS,
    SERVICES,
    ENDPOINT_SLICES,
    CONFIG_MAPS,
    SECRETS,
    DEPLOYMENTS,
    LEASES,
)
_A_WHILE = 300.0  # seconds of one watch
_AGAIN, _LATER = (
    1.0,
    3.0,
)  # seconds until an API that refused is asked again; the longer one for what may not be served
_ERRORS: Mapping[int, type[ApiError]] = {404: NotFound, 409: Conflict}


class Mirror(Store):
    """Belongs to one event-loop thread, as the store does; a write returns once the API has answered."""

    def __init__(self, api: KubeApi) -> None:
        super().__init__()
        self._api = api
        self._closed = threading.Event()
        self._ended: set[str] = set()  # uids that we deleted and that a late snapshot may still show
        self._fresh: set[str] = set()  # uids that we created and that no snapshot has shown yet

    async def follow(self, resources: Sequence[Resource] = FOLLOWED) -> None:
        """Returns when every collection was listed once; the copies are kept up to date until :meth:`close`."""
        loop = asyncio.get_running_loop()
        ready = [asyncio.Event() for _ in resources]
        for resource, listed in zip(resources, ready, strict=True):
            name = f"watch-{resource}"
            threading.Thread(
                target=self._watch, args=(loop, resource, listed), name=name, daemon=True
            ).start()
        for listed in ready:
            await listed.wait()

    def follow_later(self, resources: Sequence[Resource]) -> None:
        """Resources whose CRDs may come at any time, or never; until then it is as if nobody served them."""
        loop = asyncio.get_running_loop()
        for resource in resources:
            arguments = (loop, resource, asyncio.Event(), _LATER)
            threading.Thread(
                target=self._watch, args=arguments, name=f"watch-{resource}", daemon=True
            ).start()

    def close(self) -> None:
        self._closed.set()

    def _watch(
        self,
        loop: asyncio.AbstractEventLoop,
        resource: Resource,
        listed: asyncio.Event,
        pause: float = _AGAIN,
    ) -> None:
        """On a thread of its own. An API that is away is waited for; the loop being gone ends it."""
        while not self._closed.is_set():
            try:
                clock = Clock()
                until = clock.now() + _A_WHILE
                for state in states(self._api, Collection(_path(resource)), until, clock):
                    loop.call_soon_threadsafe(self._learn, resource, state)
                    loop.call_soon_threadsafe(listed.set)
                    if self._closed.is_set():
                        return
            except RackrollError as error:
                _log.log(
                    logging.WARNING if pause == _AGAIN else logging.DEBUG, "watching %s: %s", resource, error
                )
                self._closed.wait(pause)
            except RuntimeError:  # the event loop has closed
                return

    def _learn(self, resource: Resource, state: Mapping[str, JsonObject]) -> None:
        """Bring the copy to what the API shows; an answer to a write of ours may have been ahead of it."""
        present = {_place(item): item for item in state.values() if uid_of(item) not in self._ended}
        self._fresh -= state.keys()
        self.register(resource)
        known = self._of(resource).objects
        gone = [p for p, item in known.items() if p not in present and uid_of(item) not in self._fresh]
        for place in gone:
            self._note(resource, EventType.DELETED, place, known[place])
        for place, item in present.items():
            old = known.get(place)
            if old is None or _newer(item, old):
                kind = EventType.ADDED if old is None else EventType.MODIFIED
                self._note(resource, kind, place, {**_head(resource), **item})

    def _note(self, resource: Resource, kind: EventType, place: Place, obj: Obj) -> Obj:
        collection = self._of(resource)
        old = collection.objects.get(place)
        if kind is EventType.DELETED:
            if old is not None:
                collection.drop(place)
        else:
            collection.put(place, obj)
        event = Event(kind, obj, old, _version(obj))
        for listener in tuple(self._listeners.get(resource.key, ())):
            listener(event)
        return obj

    def create(self, resource: Resource, obj: Mapping[str, Any], namespace: str | None = None) -> Obj:
        space = obj.get("metadata", {}).get("namespace") or namespace
        made = self._call("POST", _path(resource, space), {**_head(resource), **obj})
        self._fresh.add(uid_of(made))
        return self._note(resource, EventType.ADDED, _place(made), made)

    def update(self, resource: Resource, obj: Mapping[str, Any]) -> Obj:
        path = _path(resource, obj["metadata"].get("namespace"), obj["metadata"]["name"])
        done = self._call("PUT", path, {**_head(resource), **obj})
        return self._note(resource, EventType.MODIFIED, _place(done), done)

    def patch(self, resource: Resource, namespace: str | None, name: str, patch: Mapping[str, Any]) -> Obj:
        done = self._call("PATCH", _path(resource, namespace, name), patch)
        return self._note(resource, EventType.MODIFIED, _place(done), done)

    def patch_status(
        self, resource: Resource, namespace: str | None, name: str, status: Mapping[str, Any]
    ) -> Obj:
        live = self.require(resource, namespace, name)
        if merged(live.get("status") or {}, status) == live.get("status"):
            return live
        done = self._call("PATCH", f"{_path(resource, namespace, name)}/status", {"status": status})
        return self._note(resource, EventType.MODIFIED, _place(done), done)

    def delete(
        self,
        resource: Resource,
        namespace: str | None,
        name: str,
        options: deletion.Options = deletion.BACKGROUND,
    ) -> Obj:
        """With a grace of 0 the copy forgets it at once, else when the watch says that it is gone."""
        body: dict[str, Any] = {"propagationPolicy": options.propagation}
        if options.grace is not None:
            body["gracePeriodSeconds"] = options.grace
        if options.uid is not None:
            body["preconditions"] = {"uid": options.uid}
        live = self.get(resource, namespace, name)
        done = self._call("DELETE", _path(resource, namespace, name), body)
        if options.grace == 0 and live is not None:
            self._ended.add(uid_of(live))
            self._note(resource, EventType.DELETED, _place(live), live)
        return done

    def call(self, method: str, path: str, body: object = None) -> Obj:
        """Any other request, such as a service account's token. Raises :class:`ApiError`."""
        return self._call(method, path, body)

    def _call(self, method: str, path: str, body: object = None) -> Obj:
        kind = MERGE if method == "PATCH" else "application/json"
        try:
            return self._api.request(method, path, body=body, content_type=kind)
        except Refused as refused:
            raise _ERRORS.get(refused.refusal.code, ApiError)(str(refused.refusal)) from None
        except RackrollError as error:
            raise ApiError(str(error)) from None


def _path(resource: Resource, namespace: str | None = None, name: str = "") -> str:
    root = f"/apis/{resource.group}/{resource.version}" if resource.group else f"/api/{resource.version}"
    space = f"/namespaces/{quote(namespace)}" if namespace and resource.namespaced else ""
    return f"{root}{space}/{resource.plural}" + (f"/{quote(name)}" if name else "")


def _place(obj: Mapping[str, Any]) -> Place:
    return obj["metadata"].get("namespace", ""), obj["metadata"]["name"]


def _head(resource: Resource) -> dict[str, str]:
    """Items of a list come without it."""
    return {"apiVersion": resource.api_version, "kind": resource.kind}


def _newer(item: Mapping[str, Any], old: Mapping[str, Any]) -> bool:
    """Another life of the same name, or a later version: those of one resource grow (KEP-5504)."""
    return uid_of(item) != uid_of(old) or _version(item) > _version(old)


def _version(obj: Mapping[str, Any]) -> int:
    return int(obj["metadata"]["resourceVersion"])
