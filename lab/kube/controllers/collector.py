"""Garbage collection by ownerReferences: background, foreground and orphan."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from lab.kube import deletion
from lab.kube.collection import Event, EventType
from lab.kube.controllers.loop import Key, ToKeys
from lab.kube.objects import Obj, is_terminating, uid_of, with_meta
from lab.kube.owners import Ref
from lab.kube.resource import BUILTIN, Resource
from lab.kube.store import Store

_SILENT = ("Event", "Lease", "Node")


class Collector:
    """Keys are (what to do, uid): ``gone`` for an owner that no longer exists, ``going`` for one that waits."""

    def __init__(self, store: Store) -> None:
        self._store = store

    @property
    def watches(self) -> Mapping[Resource, ToKeys]:
        return {resource: self._noticed for resource in BUILTIN if resource.kind not in _SILENT}

    def _noticed(self, event: Event) -> Iterable[Key]:
        uid = uid_of(event.object)
        if event.type is EventType.DELETED:
            yield ("gone", uid)
            for owner in event.object["metadata"].get("ownerReferences") or ():
                yield ("going", owner["uid"])
        elif is_terminating(event.object):
            yield ("going", uid)
        elif event.type is EventType.ADDED:
            for owner in event.object["metadata"].get("ownerReferences") or ():
                yield ("gone", owner["uid"])

    def reconcile(self, key: Key) -> float | None:
        what, uid = key
        if what == "gone":
            if not self._store.owners.exists(uid):
                self._collect(uid)
            return None
        ref = self._store.owners.place_of(uid)
        owner = self._store.get(ref.resource, ref.namespace, ref.name) if ref else None
        if ref is None or owner is None:
            return None
        finalizers = owner["metadata"].get("finalizers") or ()
        if deletion.ORPHAN in finalizers:
            self._orphan(uid)
            self._release(ref, owner, deletion.ORPHAN)
        elif deletion.FOREGROUND in finalizers and self._foreground(uid):
            self._release(ref, owner, deletion.FOREGROUND)
        return None

    def _collect(self, uid: str) -> None:
        """Delete what only the gone owner held."""
        for ref in self._store.owners.dependents(uid):
            obj = self._store.get(ref.resource, ref.namespace, ref.name)
            owners = (obj or {}).get("metadata", {}).get("ownerReferences") or ()
            if obj is not None and not any(self._store.owners.exists(owner["uid"]) for owner in owners):
                self._store.delete(ref.resource, ref.namespace, ref.name)

    def _foreground(self, uid: str) -> bool:
        """Start deleting dependents; True once those that block are gone."""
        left = False
        for ref in self._store.owners.dependents(uid):
            obj = self._store.require(ref.resource, ref.namespace, ref.name)
            if not is_terminating(obj):
                options = deletion.Options(
                    propagation="Foreground" if ref.resource.kind != "Pod" else "Background"
                )
                self._store.delete(ref.resource, ref.namespace, ref.name, options)
            still = self._store.get(ref.resource, ref.namespace, ref.name)
            left = left or (still is not None and _blocks(still, uid))
        return not left

    def _orphan(self, uid: str) -> None:
        for ref in self._store.owners.dependents(uid):
            obj = self._store.require(ref.resource, ref.namespace, ref.name)
            kept = [o for o in obj["metadata"]["ownerReferences"] if o["uid"] != uid]
            self._store.update(ref.resource, with_meta(obj, ownerReferences=kept or None))

    def _release(self, ref: Ref, owner: Obj, finalizer: str) -> None:
        left = [f for f in owner["metadata"]["finalizers"] if f != finalizer]
        self._store.update(ref.resource, with_meta(owner, finalizers=left or None))


def _blocks(dependent: Obj, uid: str) -> bool:
    owners = dependent["metadata"].get("ownerReferences") or ()
    return any(owner["uid"] == uid and owner.get("blockOwnerDeletion") for owner in owners)
