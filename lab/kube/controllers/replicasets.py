"""ReplicaSet: as many active pods as asked for, and a status that says how many are ready and available."""

from __future__ import annotations

from collections.abc import Mapping

from lab.kube.controllers.loop import Key, ToKeys, own_key, owner_key
from lab.kube.controllers.templates import pod_from
from lab.kube.errors import ApiError
from lab.kube.objects import (
    Obj,
    is_terminating,
    labels_of,
    name_of,
    namespace_of,
    spec_of,
    status_of,
    timestamp,
    uid_of,
    with_condition,
)
from lab.kube.pods import available_in, is_active, is_ready
from lab.kube.resource import PODS, REPLICA_SETS, Resource
from lab.kube.store import Store

_RETRY = 0.5


class ReplicaSets:
    def __init__(self, store: Store) -> None:
        self._store = store

    @property
    def watches(self) -> Mapping[Resource, ToKeys]:
        return {REPLICA_SETS: own_key, PODS: owner_key("ReplicaSet")}

    def reconcile(self, key: Key) -> float | None:
        owner = self._store.get(REPLICA_SETS, *key)
        if owner is None:
            return None
        pods = [pod for pod in owned_pods(self._store, owner) if is_active(pod)]
        failure = "" if is_terminating(owner) else self._scale(owner, pods)
        left = [pod for pod in owned_pods(self._store, owner) if is_active(pod)]
        waits = self._tell(owner, left, failure)
        return _RETRY if failure else waits

    def _scale(self, owner: Obj, pods: list[Obj]) -> str:
        """Create or delete; returns why a pod could not be created."""
        wanted = int(spec_of(owner).get("replicas", 1))
        for pod in sorted(pods, key=_first_to_go)[: max(0, len(pods) - wanted)]:
            self._store.delete(PODS, namespace_of(pod), name_of(pod))
        template = spec_of(owner)["template"]
        for _ in range(wanted - len(pods)):
            try:
                self._store.create(PODS, pod_from(owner, template, {}))
            except ApiError as error:
                return str(error)
        return ""

    def _tell(self, owner: Obj, pods: list[Obj], failure: str) -> float | None:
        """Write the status; returns when the next pod becomes available."""
        now = self._store.clock.now()
        waits = [available_in(pod, spec_of(owner).get("minReadySeconds", 0), now) for pod in pods]
        labels = (spec_of(owner)["template"].get("metadata") or {}).get("labels") or {}
        conditions = status_of(owner).get("conditions") or []
        if failure or conditions:
            told = {
                "type": "ReplicaFailure",
                "status": "True" if failure else "False",
                "reason": "FailedCreate" if failure else "Created",
                "message": failure,
                "lastTransitionTime": timestamp(now),
            }
            conditions = with_condition(conditions, told)
        status = {
            "replicas": len(pods),
            "fullyLabeledReplicas": sum(1 for p in pods if labels.items() <= labels_of(p).items()),
            "readyReplicas": sum(1 for p in pods if is_ready(p)),
            "availableReplicas": sum(1 for wait in waits if wait == 0.0),
            "observedGeneration": owner["metadata"]["generation"],
            "conditions": conditions or None,
        }
        self._store.patch_status(REPLICA_SETS, namespace_of(owner), name_of(owner), status)
        return min((wait for wait in waits if wait), default=None)


def owned_pods(store: Store, owner: Obj) -> list[Obj]:
    """The pods that ``owner`` controls, by ownerReference, in name order."""
    refs = sorted(store.owners.dependents(uid_of(owner)), key=lambda ref: ref.name)
    found = (store.get(PODS, ref.namespace, ref.name) for ref in refs if ref.resource == PODS)
    return [pod for pod in found if pod is not None]


def _first_to_go(pod: Obj) -> tuple[bool, bool, int]:
    """Unassigned before assigned, unready before ready, then the newest."""
    version = int(pod["metadata"]["resourceVersion"])
    return (bool(spec_of(pod).get("nodeName")), is_ready(pod), -version)
