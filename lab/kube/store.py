"""The cluster's state: every object, one resourceVersion counter, and who must hear of a change.

All methods are synchronous and belong to one event-loop thread: between two ``await``s nobody else writes,
so a read followed by a write in one function is atomic. Returned objects are shared: never mutate them,
build new ones with :mod:`lab.kube.objects`.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from lab.kube import deletion
from lab.kube.clock import Clock, WallClock
from lab.kube.collection import Collection, Event, EventType, Objects, Place
from lab.kube.errors import AlreadyExists, Gone, conflict, invalid, not_found
from lab.kube.objects import Obj, is_terminating, merged, timestamp, with_meta
from lab.kube.owners import OwnerIndex, Ref
from lab.kube.resource import BUILTIN, Key, Resource, counts_generations
from lab.kube.runtimes import Runtimes
from lab.kube.selectors import FieldSelector, Selector, parse_fields, parse_labels
from lab.kube.watching import Watch

Admission = Callable[[Obj, Obj | None], Obj]
"""(object, what it was before or None on create) -> the object to store; raises ApiError to refuse."""
Listener = Callable[[Event], None]

_LETTERS = "bcdfghjklmnpqrstvwxz2456789"


class Store:
    """In-memory object store. ``history`` is how many events per resource a watch can go back."""

    def __init__(self, clock: Clock | None = None, *, history: int = 8192) -> None:
        self.clock: Clock = clock or WallClock()
        self.runtimes = Runtimes()
        self.owners = OwnerIndex()
        self._history = history
        self._rehearsing = False
        # Starts at the wall clock in milliseconds: versions from before a restart are always too old.
        self._version = int(self.clock.now().timestamp() * 1000)
        self._collections: dict[Key, Collection] = {}
        self._admission: dict[Key, list[Admission]] = {}
        self._listeners: dict[Key, list[Listener]] = {}
        for resource in BUILTIN:
            self.register(resource)

    @property
    def version(self) -> int:
        """The resourceVersion of the newest write."""
        return self._version

    def register(self, resource: Resource) -> None:
        """Serve a resource; further versions of the same (group, plural) share its objects."""
        known = self._collections.get(resource.key)
        if known is None:
            self._collections[resource.key] = Collection(resource, self._version, self._history)
        elif known.resource.version == resource.version:
            known.resource = resource

    def unregister(self, key: Key) -> None:
        self._collections.pop(key, None)

    def resources(self) -> Iterable[Resource]:
        return [c.resource for c in self._collections.values()]

    def add_admission(self, resource: Resource, admission: Admission) -> None:
        """Run ``admission`` on every create and update of this resource, whoever writes."""
        self._admission.setdefault(resource.key, []).append(admission)

    def subscribe(self, resource: Resource, listener: Listener) -> None:
        """Call ``listener`` inside every commit. It must only take note: writing from there is a bug."""
        self._listeners.setdefault(resource.key, []).append(listener)

    def get(self, resource: Resource, namespace: str | None, name: str) -> Obj | None:
        return self._of(resource).objects.get(_place(resource, namespace, name))

    def require(self, resource: Resource, namespace: str | None, name: str) -> Obj:
        """Like :meth:`get`; raises NotFound."""
        found = self.get(resource, namespace, name)
        if found is None:
            raise not_found(resource.group, resource.plural, name)
        return found

    def list(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        label_selector: str | Selector = "",
        field_selector: str | FieldSelector = "",
    ) -> Objects:
        """Matching objects in (namespace, name) order; ``namespace`` None means all of them."""
        labels = parse_labels(label_selector) if isinstance(label_selector, str) else label_selector
        fields = parse_fields(field_selector) if isinstance(field_selector, str) else field_selector
        return self._of(resource).select(namespace, labels, fields)

    def list_at(
        self, resource: Resource, namespace: str | None, version: int, matches: Callable[[Obj], bool]
    ) -> Objects:
        """As :meth:`list` was at ``version``; raises Gone when that is longer ago than the history reaches."""
        then = self._of(resource).as_of(version) if version <= self._version else None
        if then is None:
            raise Gone("The provided continue parameter is too old to display a consistent list result.")
        places = sorted(place for place in then if namespace in (None, "", place[0]))
        return [then[place] for place in places if matches(then[place])]

    def count(self, resource: Resource) -> int:
        return len(self._of(resource).objects)

    def create(self, resource: Resource, obj: Mapping[str, Any], namespace: str | None = None) -> Obj:
        """Store a new object; raises AlreadyExists, Invalid, or what admission refuses with."""
        new = self._named(resource, obj, namespace)
        place = _place(resource, new["metadata"].get("namespace"), new["metadata"]["name"])
        if place in self._of(resource).objects:
            raise AlreadyExists(
                f'{resource} "{place[1]}" already exists',
                {"name": place[1], "group": resource.group, "kind": resource.plural},
            )
        new = self._admitted(resource, new, None)
        stamps: dict[str, Any] = {
            "uid": str(uuid.uuid4()),
            "creationTimestamp": timestamp(self.clock.now()),
            "generation": 1 if counts_generations(resource) and "spec" in new else None,
            "deletionTimestamp": None,
            "deletionGracePeriodSeconds": None,
        }
        return self._commit(resource, EventType.ADDED, place, with_meta(new, **stamps), None)

    def update(self, resource: Resource, obj: Mapping[str, Any]) -> Obj:
        """Replace everything but the status (where that is a subresource). Raises NotFound and Conflict."""
        place, live = self._current(resource, obj)
        new = {**obj, "apiVersion": live["apiVersion"], "kind": live["kind"]}
        if resource.has_status:
            new.pop("status", None)
            if "status" in live:
                new["status"] = live["status"]
        return self._replace(resource, place, live, self._admitted(resource, new, live))

    def update_status(self, resource: Resource, obj: Mapping[str, Any]) -> Obj:
        """Replace only the status (metadata of ``obj`` is ignored). Raises as :meth:`update`."""
        place, live = self._current(resource, obj)
        return self._replace(resource, place, live, {**live, "status": obj.get("status") or {}})

    def patch(self, resource: Resource, namespace: str | None, name: str, patch: Mapping[str, Any]) -> Obj:
        """JSON merge patch on everything but the status, against whatever is stored now."""
        return self.update(resource, merged(self.require(resource, namespace, name), patch))

    def patch_status(
        self, resource: Resource, namespace: str | None, name: str, status: Mapping[str, Any]
    ) -> Obj:
        """JSON merge patch on the status alone; lists are replaced; nothing happens if nothing changes."""
        live = self.require(resource, namespace, name)
        place = _place(resource, namespace, name)
        return self._replace(
            resource, place, live, {**live, "status": merged(live.get("status") or {}, status)}
        )

    def delete(
        self,
        resource: Resource,
        namespace: str | None,
        name: str,
        options: deletion.Options = deletion.BACKGROUND,
    ) -> Obj:
        """Delete, or start to: pods on a node get their grace period, finalizers are waited for."""
        live = self.require(resource, namespace, name)
        deletion.check_preconditions(resource, live, options)
        place = _place(resource, namespace, name)
        marked = deletion.marked(resource, live, options, self.clock.now())
        if marked is None:
            return self._commit(resource, EventType.DELETED, place, live, live)
        if marked == live:
            return live
        return self._commit(resource, EventType.MODIFIED, place, marked, live)

    def watch(self, resource: Resource, *, since: int | None = None) -> Watch:
        """Changes from now on, without gap: first the present objects as ADDED, or what came after ``since``.

        Raises Gone when ``since`` is older than the history (or from a life before this process).
        """
        collection = self._of(resource)
        if since is None:
            first = [
                Event(EventType.ADDED, o, None, int(o["metadata"]["resourceVersion"]))
                for o in collection.select(None)
            ]
        else:
            known = collection.since(since) if since <= self._version else None
            if known is None:
                raise Gone(f"too old resource version: {since} ({self._version})")
            first = known
        listeners = self._listeners.setdefault(resource.key, [])
        watch = Watch(first, lambda w: listeners.remove(w.push) if w.push in listeners else None)
        listeners.append(watch.push)
        return watch

    @contextmanager
    def rehearsing(self) -> Iterator[None]:
        """Writes inside are admitted and answered but not stored (``dryRun=All``). Never ``await`` inside."""
        self._rehearsing = True
        try:
            yield
        finally:
            self._rehearsing = False

    def _of(self, resource: Resource) -> Collection:
        found = self._collections.get(resource.key)
        if found is None:
            raise not_found(resource.group, resource.plural, "")
        return found

    def _named(self, resource: Resource, obj: Mapping[str, Any], namespace: str | None) -> Obj:
        meta = obj.get("metadata") or {}
        name = meta.get("name") or ""
        if not name and meta.get("generateName"):
            name = meta["generateName"] + "".join(random.choices(_LETTERS, k=5))  # noqa: S311
        if not name:
            raise invalid(
                resource.kind, "", [("metadata.name", "Required value: name or generateName is required")]
            )
        where = (meta.get("namespace") or namespace or "default") if resource.namespaced else None
        head = {"apiVersion": obj.get("apiVersion") or resource.api_version, "kind": resource.kind}
        return with_meta({**obj, **head}, name=name, namespace=where)

    def _admitted(self, resource: Resource, new: Obj, old: Obj | None) -> Obj:
        for admission in self._admission.get(resource.key, ()):
            new = admission(new, old)
        return new

    def _current(self, resource: Resource, obj: Mapping[str, Any]) -> tuple[Place, Obj]:
        meta = obj["metadata"]
        place = _place(resource, meta.get("namespace"), meta["name"])
        live = self.require(resource, place[0] or None, place[1])
        for field in ("resourceVersion", "uid"):
            if meta.get(field, live["metadata"][field]) != live["metadata"][field]:
                raise conflict(resource.group, resource.plural, place[1])
        return place, live

    def _replace(self, resource: Resource, place: Place, live: Obj, new: Obj) -> Obj:
        new = with_meta(new, **deletion.preserved(live))
        if new == live:
            return live
        deletion.check_finalizers(live, new)
        if "generation" in live["metadata"] and _without(new) != _without(live):
            new = with_meta(new, generation=live["metadata"]["generation"] + 1)
        if is_terminating(live) and deletion.may_go(new):
            return self._commit(resource, EventType.DELETED, place, new, live)
        return self._commit(resource, EventType.MODIFIED, place, new, live)

    def _commit(self, resource: Resource, kind: EventType, place: Place, obj: Obj, old: Obj | None) -> Obj:
        if self._rehearsing:
            return obj
        self._version += 1
        obj = with_meta(obj, resourceVersion=str(self._version))
        collection = self._of(resource)
        self.owners.replace(Ref(collection.resource, *place), old, None if kind is EventType.DELETED else obj)
        if kind is EventType.DELETED:
            collection.drop(place)
        else:
            collection.put(place, obj)
        event = Event(kind, obj, old, self._version)
        collection.remember(event)
        for listener in tuple(self._listeners.get(resource.key, ())):
            listener(event)
        return obj


def _place(resource: Resource, namespace: str | None, name: str) -> Place:
    return ((namespace or "default") if resource.namespaced else "", name)


def _without(obj: Obj) -> Obj:
    return {key: value for key, value in obj.items() if key not in ("metadata", "status")}
