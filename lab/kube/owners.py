"""Who owns whom, by uid: what garbage collection and controllers look up."""

from __future__ import annotations

from dataclasses import dataclass

from lab.kube.objects import Obj, uid_of
from lab.kube.resource import Resource


@dataclass(frozen=True, slots=True)
class Ref:
    resource: Resource
    namespace: str
    name: str


class OwnerIndex:
    def __init__(self) -> None:
        self._by_uid: dict[str, Ref] = {}
        self._dependents: dict[str, set[Ref]] = {}

    def replace(self, ref: Ref, old: Obj | None, new: Obj | None) -> None:
        for uid in _owners(old) - _owners(new):
            left = self._dependents.get(uid, set())
            left.discard(ref)
            if not left:
                self._dependents.pop(uid, None)
        for uid in _owners(new) - _owners(old):
            self._dependents.setdefault(uid, set()).add(ref)
        if new is None and old is not None:
            self._by_uid.pop(uid_of(old), None)
        elif new is not None:
            self._by_uid[uid_of(new)] = ref

    def exists(self, uid: str) -> bool:
        return uid in self._by_uid

    def place_of(self, uid: str) -> Ref | None:
        return self._by_uid.get(uid)

    def dependents(self, uid: str) -> tuple[Ref, ...]:
        return tuple(self._dependents.get(uid, ()))


def _owners(obj: Obj | None) -> set[str]:
    if obj is None:
        return set()
    return {owner["uid"] for owner in obj["metadata"].get("ownerReferences") or ()}
