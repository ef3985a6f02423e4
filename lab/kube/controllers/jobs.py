"""Jobs complete at once, without a pod: what Helm hooks wait for. Nothing is run."""

from __future__ import annotations

from collections.abc import Mapping

from lab.kube.controllers.loop import Key, ToKeys, own_key
from lab.kube.objects import Obj, is_terminating, spec_of, status_of, timestamp
from lab.kube.resource import JOBS, Resource
from lab.kube.store import Store


class Jobs:
    def __init__(self, store: Store) -> None:
        self._store = store

    @property
    def watches(self) -> Mapping[Resource, ToKeys]:
        return {JOBS: own_key}

    def reconcile(self, key: Key) -> float | None:
        job = self._store.get(JOBS, *key)
        if (
            job is None
            or is_terminating(job)
            or spec_of(job).get("suspend")
            or status_of(job).get("conditions")
        ):
            return None
        now = timestamp(self._store.clock.now())
        status: Obj = {
            "startTime": now,
            "completionTime": now,
            "succeeded": spec_of(job).get("completions", 1),
            "ready": 0,
            "conditions": [_condition("SuccessCriteriaMet", now), _condition("Complete", now)],
        }
        self._store.patch_status(JOBS, *key, status)
        return None


def _condition(kind: str, now: str) -> Obj:
    return {
        "type": kind,
        "status": "True",
        "reason": "CompletionsReached",
        "message": "simulated: nothing was run",
        "lastProbeTime": now,
        "lastTransitionTime": now,
    }
