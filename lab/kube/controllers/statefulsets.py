"""StatefulSet: pods with ordinals, one after another; updated from the highest ordinal down to the partition.

OrderedReady only, as upstream's default. Pods name their volume claims, but nobody makes the claims. A pod below the
partition comes back from the template it had, also after somebody deleted it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lab.kube.controllers import revisions
from lab.kube.controllers.loop import Key, ToKeys, own_key, owner_key
from lab.kube.controllers.replicasets import owned_pods
from lab.kube.controllers.revisions import HASH
from lab.kube.controllers.templates import pod_from
from lab.kube.errors import ApiError
from lab.kube.objects import Obj, is_terminating, labels_of, name_of, namespace_of, spec_of, status_of
from lab.kube.pods import is_ready
from lab.kube.resource import PODS, STATEFUL_SETS, Resource
from lab.kube.store import Store

_RETRY = 0.5
_NAME = "statefulset.kubernetes.io/pod-name"
_INDEX = "apps.kubernetes.io/pod-index"


class StatefulSets:
    def __init__(self, store: Store) -> None:
        self._store = store

    @property
    def watches(self) -> Mapping[Resource, ToKeys]:
        return {STATEFUL_SETS: own_key, PODS: owner_key("StatefulSet")}

    def reconcile(self, key: Key) -> float | None:
        owner = self._store.get(STATEFUL_SETS, *key)
        if owner is None or is_terminating(owner):
            return None
        update = revisions.record(self._store, owner)
        current = status_of(owner).get("currentRevision", "").removeprefix(f"{name_of(owner)}-") or update
        pods = {_ordinal(pod): pod for pod in owned_pods(self._store, owner)}
        refused = self._step(owner, pods, current, update)
        self._tell(owner, current, update)
        return _RETRY if refused else None

    def _step(self, owner: Obj, pods: Mapping[int, Obj], current: str, update: str) -> bool:
        """One change at a time, none while a pod is not ready (for ever, if it never is). True if one was refused."""
        wanted, partition = int(spec_of(owner).get("replicas", 1)), _partition(owner)
        for ordinal in range(wanted):
            pod = pods.get(ordinal)
            if pod is None:
                return not self._create(owner, ordinal, update if ordinal >= partition else current)
            if is_terminating(pod) or not is_ready(pod):
                return False
        for ordinal in sorted(pods, reverse=True):
            old = labels_of(pods[ordinal]).get(HASH) != update
            if ordinal >= wanted or (old and ordinal >= partition and _rolls(owner)):
                self._delete(pods[ordinal])
                break
        return False

    def _create(self, owner: Obj, ordinal: int, mark: str) -> bool:
        name = f"{name_of(owner)}-{ordinal}"
        labels = {HASH: mark, _NAME: name, _INDEX: str(ordinal)}
        pod = pod_from(owner, revisions.template(self._store, owner, mark), labels)
        pod["metadata"] = {key: value for key, value in pod["metadata"].items() if key != "generateName"}
        pod["spec"] = _with_claims(pod["spec"], spec_of(owner).get("volumeClaimTemplates") or (), name)
        try:
            self._store.create(PODS, {**pod, "metadata": {**pod["metadata"], "name": name}})
        except ApiError:
            return False
        return True

    def _delete(self, pod: Obj) -> None:
        if not is_terminating(pod):
            self._store.delete(PODS, namespace_of(pod), name_of(pod))

    def _tell(self, owner: Obj, current: str, update: str) -> None:
        pods = [pod for pod in owned_pods(self._store, owner) if not is_terminating(pod)]
        marks = [labels_of(pod).get(HASH) for pod in pods]
        complete = bool(pods) and _partition(owner) == 0 and set(marks) == {update}
        now = update if complete or not pods else current
        status = {
            "replicas": len(pods),
            "readyReplicas": sum(1 for pod in pods if is_ready(pod)),
            "availableReplicas": sum(1 for pod in pods if is_ready(pod)),
            "currentReplicas": marks.count(now),
            "updatedReplicas": marks.count(update),
            "currentRevision": f"{name_of(owner)}-{now}",
            "updateRevision": f"{name_of(owner)}-{update}",
            "observedGeneration": owner["metadata"]["generation"],
        }
        self._store.patch_status(STATEFUL_SETS, namespace_of(owner), name_of(owner), status)


def _with_claims(spec: Obj, templates: Sequence[Mapping[str, Any]], pod: str) -> Obj:
    if not templates:
        return spec
    names = [str(template["metadata"]["name"]) for template in templates]
    kept = [{"name": n, "persistentVolumeClaim": {"claimName": f"{n}-{pod}"}} for n in names]
    return {**spec, "volumes": [*(spec.get("volumes") or ()), *kept]}


def _ordinal(pod: Obj) -> int:
    return int(name_of(pod).rpartition("-")[2])


def _strategy(owner: Obj) -> Mapping[str, object]:
    found: Mapping[str, object] = spec_of(owner).get("updateStrategy") or {}
    return found


def _rolls(owner: Obj) -> bool:
    return _strategy(owner).get("type", "RollingUpdate") == "RollingUpdate"


def _partition(owner: Obj) -> int:
    rolling = _strategy(owner).get("rollingUpdate")
    return int(rolling.get("partition", 0)) if isinstance(rolling, Mapping) else 0
