"""The objects of one resource with the indexes that lists need, and a bounded history for watches."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from lab.kube.objects import Obj, labels_of, lookup
from lab.kube.resource import Resource
from lab.kube.selectors import ANYTHING, EVERYTHING, FieldSelector, Operator, Selector

Place = tuple[str, str]  # (namespace or "", name)
Objects = list[Obj]


class EventType(StrEnum):
    ADDED = "ADDED"
    MODIFIED = "MODIFIED"
    DELETED = "DELETED"


@dataclass(frozen=True, slots=True)
class Event:
    """One change. ``old`` is the object before it, so that filters can tell entering from leaving."""

    type: EventType
    object: Obj
    old: Obj | None
    version: int


class Collection:
    def __init__(self, resource: Resource, version: int, history: int) -> None:
        self.resource = resource
        self.objects: dict[Place, Obj] = {}
        self._by_namespace: dict[str, set[Place]] = {}
        self._by_label: dict[tuple[str, str], set[Place]] = {}
        self._by_node: dict[str, set[Place]] = {}
        self._history: deque[Event] = deque(maxlen=history)
        self._horizon = version  # events up to here are forgotten

    def put(self, place: Place, obj: Obj) -> None:
        old = self.objects.get(place)
        if old is not None:
            self._unindex(place, old)
        self.objects[place] = obj
        self._by_namespace.setdefault(place[0], set()).add(place)
        for item in labels_of(obj).items():
            self._by_label.setdefault(item, set()).add(place)
        node = lookup(obj, "spec", "nodeName")
        if node:
            self._by_node.setdefault(node, set()).add(place)

    def drop(self, place: Place) -> None:
        self._unindex(place, self.objects.pop(place))
        self._by_namespace[place[0]].discard(place)

    def _unindex(self, place: Place, obj: Obj) -> None:
        for item in labels_of(obj).items():
            _discard(self._by_label, item, place)
        _discard(self._by_node, lookup(obj, "spec", "nodeName"), place)

    def remember(self, event: Event) -> None:
        if len(self._history) == self._history.maxlen:
            self._horizon = self._history[0].version
        self._history.append(event)

    def since(self, version: int) -> list[Event] | None:
        """Events after ``version``, oldest first; None if they are no longer all known."""
        if version < self._horizon:
            return None
        found: list[Event] = []
        for event in reversed(self._history):
            if event.version <= version:
                break
            found.append(event)
        return found[::-1]

    def as_of(self, version: int) -> dict[Place, Obj] | None:
        """The objects as they were at ``version``; None if that is no longer known."""
        later = self.since(version)
        if later is None:
            return None
        then = dict(self.objects)
        for event in reversed(later):
            place = (event.object["metadata"].get("namespace") or "", event.object["metadata"]["name"])
            if event.old is None:
                then.pop(place, None)
            else:
                then[place] = event.old
        return then

    def select(
        self, namespace: str | None, labels: Selector = EVERYTHING, fields: FieldSelector = ANYTHING
    ) -> Objects:
        """Matching objects in (namespace, name) order, found through the narrowest index that applies."""
        places = sorted(self._candidates(namespace, labels, fields))
        found = (self.objects[place] for place in places)
        return [
            obj
            for obj in found
            if (not labels.requirements or labels.matches(labels_of(obj)))
            and (not fields.terms or fields.matches(obj))
        ]

    def _candidates(self, namespace: str | None, labels: Selector, fields: FieldSelector) -> Iterable[Place]:
        sets: list[set[Place]] = []
        if namespace:
            sets.append(self._by_namespace.get(namespace, set()))
        node = fields.wanted("spec", "nodeName")
        if node:
            sets.append(self._by_node.get(node, set()))
        for need in labels.requirements:
            if need.operator is Operator.IN and len(need.values) == 1:
                sets.append(self._by_label.get((need.key, next(iter(need.values))), set()))
        if not sets:
            return self.objects
        smallest = min(sets, key=len)
        return smallest if not namespace else (p for p in smallest if p[0] == namespace)


def _discard(index: dict[Any, set[Place]], key: object, place: Place) -> None:
    places = index.get(key)
    if places is not None:
        places.discard(place)
        if not places:
            del index[key]
