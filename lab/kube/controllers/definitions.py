"""CustomResourceDefinitions are accepted and established at once; a deleted one takes its objects with it."""

from __future__ import annotations

from collections.abc import Mapping

from lab.kube.catalog import resources_of
from lab.kube.controllers.loop import Key, ToKeys, own_key
from lab.kube.objects import (
    Obj,
    is_terminating,
    is_true,
    name_of,
    namespace_of,
    spec_of,
    timestamp,
    with_meta,
)
from lab.kube.resource import CRDS, Resource
from lab.kube.store import Store

_CLEANUP = "customresourcecleanup.apiextensions.k8s.io"
_LOOK_AGAIN = 0.2


class Definitions:
    def __init__(self, store: Store) -> None:
        self._store = store

    @property
    def watches(self) -> Mapping[Resource, ToKeys]:
        return {CRDS: own_key}

    def reconcile(self, key: Key) -> float | None:
        crd = self._store.get(CRDS, None, key[1])
        if crd is None:
            return None
        if is_terminating(crd):
            return self._empty(crd)
        if _CLEANUP not in (crd["metadata"].get("finalizers") or ()):
            kept = crd["metadata"].get("finalizers") or []
            crd = self._store.update(CRDS, with_meta(crd, finalizers=[*kept, _CLEANUP]))
        if not is_true(crd, "Established"):
            self._establish(crd)
        return None

    def _establish(self, crd: Obj) -> None:
        now = timestamp(self._store.clock.now())
        told = (("NamesAccepted", "NoConflicts"), ("Established", "InitialNamesAccepted"))
        conditions = [
            {"type": kind, "status": "True", "reason": reason, "message": "", "lastTransitionTime": now}
            for kind, reason in told
        ]
        stored = [v["name"] for v in spec_of(crd)["versions"] if v.get("storage")]
        status = {"conditions": conditions, "acceptedNames": spec_of(crd)["names"], "storedVersions": stored}
        self._store.patch_status(CRDS, None, name_of(crd), status)

    def _empty(self, crd: Obj) -> float | None:
        left = False
        for resource in resources_of(crd):
            for obj in self._store.list(resource):
                where, name = namespace_of(obj), name_of(obj)
                if not is_terminating(obj):
                    self._store.delete(resource, where, name)
                left = left or self._store.get(resource, where, name) is not None
        if left:
            return _LOOK_AGAIN
        finalizers = [f for f in crd["metadata"].get("finalizers") or () if f != _CLEANUP]
        self._store.update(CRDS, with_meta(crd, finalizers=finalizers or None))
        return None
