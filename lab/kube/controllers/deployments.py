"""Deployment: one ReplicaSet per template, moved from old to new within maxSurge and maxUnavailable."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from lab.kube.collection import Event, EventType
from lab.kube.controllers import deployment_status
from lab.kube.controllers.loop import Key, ToKeys, own_key, owner_key
from lab.kube.controllers.replicasets import owned_pods
from lab.kube.controllers.rolling import limits
from lab.kube.controllers.templates import template_hash
from lab.kube.objects import (
    Obj,
    annotations_of,
    controller_of,
    is_terminating,
    name_of,
    namespace_of,
    owner_reference,
    spec_of,
    status_of,
    uid_of,
    with_value,
)
from lab.kube.resource import DEPLOYMENTS, PODS, REPLICA_SETS, Resource
from lab.kube.store import Store

REVISION = "deployment.kubernetes.io/revision"
_HASH = "pod-template-hash"


class Deployments:
    def __init__(self, store: Store) -> None:
        self._store = store

    @property
    def watches(self) -> Mapping[Resource, ToKeys]:
        return {DEPLOYMENTS: own_key, REPLICA_SETS: owner_key("Deployment"), PODS: self._freed}

    def _freed(self, event: Event) -> Iterable[Key]:
        """A pod that is really gone lets a Recreate go on; its ReplicaSet stopped counting it long ago."""
        if event.type is EventType.DELETED:
            for _, name in owner_key("ReplicaSet")(event):
                where = namespace_of(event.object) or ""
                owner = controller_of(self._store.get(REPLICA_SETS, where, name) or {"metadata": {}})
                if owner:
                    yield (where, owner["name"])

    def reconcile(self, key: Key) -> float | None:
        deployment = self._store.get(DEPLOYMENTS, *key)
        if deployment is None or is_terminating(deployment):
            return None
        if not spec_of(deployment).get("paused"):
            self._move(deployment)
        elif self._new(deployment) is not None:
            self._resize(self._new(deployment), int(spec_of(deployment)["replicas"]))
        self._forget_oldest(deployment)
        return deployment_status.tell(self._store, deployment, self._sets(deployment), self._new(deployment))

    def _move(self, deployment: Obj) -> None:
        new = self._new(deployment) or self._create(deployment)
        new = self._renumbered(deployment, new)
        old = [one for one in self._sets(deployment) if uid_of(one) != uid_of(new) and _size(one)]
        if spec_of(deployment)["strategy"]["type"] == "Recreate":
            self._recreate(deployment, new, old)
        else:
            self._roll(deployment, new, old)

    def _recreate(self, deployment: Obj, new: Obj, old: list[Obj]) -> None:
        for one in old:
            self._resize(one, 0)
        gone = all(
            not owned_pods(self._store, one) for one in self._sets(deployment) if uid_of(one) != uid_of(new)
        )
        if gone:
            self._resize(new, int(spec_of(deployment)["replicas"]))

    def _roll(self, deployment: Obj, new: Obj, old: list[Obj]) -> None:
        wanted = int(spec_of(deployment)["replicas"])
        surge, unavailable = limits(deployment)
        total = sum(_size(one) for one in old) + _size(new)
        if _size(new) > wanted or not old:
            new = self._resize(new, wanted)
        elif _size(new) < wanted:
            room = max(0, wanted + surge - total)
            new = self._resize(new, min(wanted, _size(new) + room))
        self._shrink(old, new, wanted - unavailable)

    def _shrink(self, old: list[Obj], new: Obj, least: int) -> None:
        """Take from the old sets what may go: what is not available anyway, then down to ``least`` available."""
        total = sum(_size(one) for one in old) + _size(new)
        allowed = total - least - (_size(new) - _available(new))
        if allowed <= 0:
            return
        sizes = {uid_of(one): _size(one) for one in old}
        for one in old:
            cut = max(0, min(allowed, sizes[uid_of(one)] - _available(one)))
            sizes[uid_of(one)] -= cut
            allowed -= cut
        spare = sum(_available(one) for one in old) + _available(new) - least
        for one in old:
            cut = max(0, min(spare, sizes[uid_of(one)]))
            sizes[uid_of(one)] -= cut
            spare -= cut
        for one in old:
            self._resize(one, sizes[uid_of(one)])

    def _sets(self, deployment: Obj) -> list[Obj]:
        """All ReplicaSets of this deployment, oldest first."""
        refs = self._store.owners.dependents(uid_of(deployment))
        found = [
            self._store.get(REPLICA_SETS, r.namespace, r.name) for r in refs if r.resource == REPLICA_SETS
        ]
        return sorted((one for one in found if one is not None), key=_revision)

    def _new(self, deployment: Obj) -> Obj | None:
        name = f"{name_of(deployment)}-{template_hash(spec_of(deployment)['template'])}"
        found = self._store.get(REPLICA_SETS, namespace_of(deployment), name)
        owner = controller_of(found) if found else None
        return found if owner and owner["uid"] == uid_of(deployment) else None

    def _create(self, deployment: Obj) -> Obj:
        spec = spec_of(deployment)
        mark = {_HASH: template_hash(spec["template"])}
        template = spec["template"]
        labels = {**((template.get("metadata") or {}).get("labels") or {}), **mark}
        match = {**(spec["selector"].get("matchLabels") or {}), **mark}
        replica_set = {
            "metadata": {
                "name": f"{name_of(deployment)}-{mark[_HASH]}",
                "namespace": namespace_of(deployment),
                "labels": labels,
                "annotations": {REVISION: "0"},
                "ownerReferences": [owner_reference(deployment)],
            },
            "spec": {
                "replicas": 0,
                "minReadySeconds": spec.get("minReadySeconds", 0),
                "selector": {**spec["selector"], "matchLabels": match},
                "template": with_value(template, ("metadata", "labels"), labels),
            },
        }
        return self._store.create(REPLICA_SETS, replica_set)

    def _renumbered(self, deployment: Obj, new: Obj) -> Obj:
        """The current template has the highest revision, also when a rollback made an old one current again."""
        highest = max(
            (_revision(one) for one in self._sets(deployment) if uid_of(one) != uid_of(new)), default=0
        )
        number = max(highest + 1, _revision(new))
        changes = {"metadata": {"annotations": {REVISION: str(number)}}}
        where = namespace_of(deployment)
        new = self._store.patch(
            REPLICA_SETS,
            where,
            name_of(new),
            {**changes, "spec": {"minReadySeconds": spec_of(deployment).get("minReadySeconds", 0)}},
        )
        self._store.patch(DEPLOYMENTS, where, name_of(deployment), changes)
        return new

    def _resize(self, replica_set: Obj | None, size: int) -> Obj:
        assert replica_set is not None
        where = namespace_of(replica_set)
        return self._store.patch(REPLICA_SETS, where, name_of(replica_set), {"spec": {"replicas": size}})

    def _forget_oldest(self, deployment: Obj) -> None:
        keep = int(spec_of(deployment).get("revisionHistoryLimit", 10))
        new = self._new(deployment)
        empty = [
            one
            for one in self._sets(deployment)
            if not _size(one)
            and not status_of(one).get("replicas")
            and (not new or uid_of(one) != uid_of(new))
        ]
        for one in empty[: max(0, len(empty) - keep)]:
            self._store.delete(REPLICA_SETS, namespace_of(one), name_of(one))


def _size(replica_set: Obj) -> int:
    return int(spec_of(replica_set).get("replicas", 0))


def _available(replica_set: Obj) -> int:
    """What it told last, but never more than it may have now: its status lags behind its size."""
    return min(_size(replica_set), int(status_of(replica_set).get("availableReplicas", 0)))


def _revision(replica_set: Obj) -> int:
    return int(annotations_of(replica_set).get(REVISION, "0"))
