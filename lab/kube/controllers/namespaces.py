"""Namespaces: what every new one gets, and emptying those that are deleted."""

from __future__ import annotations

from collections.abc import Mapping

from lab.kube.controllers.loop import Key, ToKeys, own_key
from lab.kube.objects import is_terminating, lookup, name_of, with_value
from lab.kube.resource import CONFIG_MAPS, NAMESPACES, SERVICE_ACCOUNTS, Resource
from lab.kube.store import Store

_ROOT_CA = "kube-root-ca.crt"
_LOOK_AGAIN = 0.2


class Namespaces:
    def __init__(self, store: Store) -> None:
        self._store = store

    @property
    def watches(self) -> Mapping[Resource, ToKeys]:
        return {NAMESPACES: own_key}

    def reconcile(self, key: Key) -> float | None:
        name = key[1]
        space = self._store.get(NAMESPACES, None, name)
        if space is None:
            return None
        if not is_terminating(space):
            self._furnish(name)
            return None
        if self._empty(name):
            if lookup(space, "spec", "finalizers"):
                self._store.update(NAMESPACES, with_value(space, ("spec", "finalizers"), None))
            return None
        return _LOOK_AGAIN

    def _furnish(self, name: str) -> None:
        meta = {"namespace": name}
        if self._store.get(SERVICE_ACCOUNTS, name, "default") is None:
            self._store.create(SERVICE_ACCOUNTS, {"metadata": {**meta, "name": "default"}})
        if self._store.get(CONFIG_MAPS, name, _ROOT_CA) is None:
            data = {"ca.crt": "simulated"}
            self._store.create(CONFIG_MAPS, {"metadata": {**meta, "name": _ROOT_CA}, "data": data})

    def _empty(self, name: str) -> bool:
        """Delete everything in it; True once nothing is left."""
        left = False
        for resource in self._store.resources():
            if not resource.namespaced:
                continue
            for obj in self._store.list(resource, name):
                if not is_terminating(obj):
                    self._store.delete(resource, name, name_of(obj))
                left = left or self._store.get(resource, name, name_of(obj)) is not None
        return not left
