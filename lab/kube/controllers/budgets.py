"""PodDisruptionBudgets: their status, and the verdict on one eviction.

As the real controller: with an integer ``minAvailable`` the matching pods are what is expected; anything else
needs the scale of the pods' owner, and an owner without one (a DaemonSet) makes the budget allow nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from lab.kube.collection import Event
from lab.kube.controllers.loop import Key, ToKeys, own_key
from lab.kube.errors import ApiError, TooManyRequests
from lab.kube.objects import (
    Obj,
    controller_of,
    is_terminating,
    labels_of,
    name_of,
    namespace_of,
    spec_of,
    status_of,
    timestamp,
    with_condition,
)
from lab.kube.pods import is_active, is_finished, is_ready
from lab.kube.quantities import count_up
from lab.kube.resource import DEPLOYMENTS, PDBS, PODS, REPLICA_SETS, STATEFUL_SETS, Resource
from lab.kube.selectors import from_object
from lab.kube.store import Store

_SCALED = {"ReplicaSet": REPLICA_SETS, "StatefulSet": STATEFUL_SETS, "Deployment": DEPLOYMENTS}


@dataclass(frozen=True, slots=True)
class Verdict:
    """``error`` tells why the expected count cannot be known; nothing is allowed then."""

    expected: int
    desired: int
    healthy: int
    error: str = ""

    @property
    def allowed(self) -> int:
        return 0 if self.error else max(0, self.healthy - self.desired)


class Budgets:
    def __init__(self, store: Store) -> None:
        self._store = store

    @property
    def watches(self) -> Mapping[Resource, ToKeys]:
        return {PDBS: own_key, PODS: self._covering}

    def _covering(self, event: Event) -> Iterable[Key]:
        for obj in (event.object, event.old):
            if obj is not None:
                for budget in covering(self._store, obj):
                    yield (namespace_of(budget) or "", name_of(budget))

    def reconcile(self, key: Key) -> float | None:
        budget = self._store.get(PDBS, *key)
        if budget is None:
            return None
        verdict = judge(self._store, budget)
        allowed = verdict.allowed > 0
        state = {
            "type": "DisruptionAllowed",
            "status": "True" if allowed else "False",
            "reason": "SyncFailed" if verdict.error else "SufficientPods" if allowed else "InsufficientPods",
            "message": verdict.error,
            "observedGeneration": budget["metadata"]["generation"],
            "lastTransitionTime": timestamp(self._store.clock.now()),
        }
        status = {
            "expectedPods": verdict.expected,
            "desiredHealthy": verdict.desired,
            "currentHealthy": verdict.healthy,
            "disruptionsAllowed": verdict.allowed,
            "observedGeneration": budget["metadata"]["generation"],
            "conditions": with_condition(status_of(budget).get("conditions") or (), state),
        }
        self._store.patch_status(PDBS, *key, status)
        return None


def covering(store: Store, pod: Obj) -> list[Obj]:
    """The budgets whose selector matches this pod."""
    return [
        budget
        for budget in store.list(PDBS, namespace_of(pod))
        if from_object(spec_of(budget).get("selector")).matches(labels_of(pod))
    ]


def judge(store: Store, budget: Obj) -> Verdict:
    """The budget's numbers from the pods as they are now."""
    spec = spec_of(budget)
    matching = store.list(PODS, namespace_of(budget), label_selector=from_object(spec.get("selector")))
    pods = [pod for pod in matching if not is_finished(pod)]
    healthy = sum(1 for pod in pods if is_ready(pod) and is_active(pod))
    least, most = spec.get("minAvailable"), spec.get("maxUnavailable")
    if most is None and isinstance(least, int):
        return Verdict(len(pods), least, healthy)
    expected, error = _expected(store, pods)
    if error:
        return Verdict(expected, 0, healthy, error)
    if most is not None:
        return Verdict(expected, max(0, expected - count_up(most, expected)), healthy)
    return Verdict(expected, count_up(least or 0, expected), healthy)


def _expected(store: Store, pods: list[Obj]) -> tuple[int, str]:
    """The sum of the owners' replicas, or why it cannot be told."""
    found: dict[str, int] = {}
    for pod in pods:
        owner = controller_of(pod)
        resource = _SCALED.get(owner["kind"]) if owner else None
        if owner is None or resource is None:
            what = f"{owner['kind'].lower()}s.apps does not implement the scale subresource" if owner else ""
            return 0, what or f"found no controller ref for pod {name_of(pod)!r}"
        scaled = store.get(resource, namespace_of(pod), owner["name"])
        if scaled is not None:
            above = controller_of(scaled)
            top = store.get(DEPLOYMENTS, namespace_of(pod), above["name"]) if above else None
            whole = top or scaled
            found[whole["metadata"]["uid"]] = int(spec_of(whole).get("replicas", 1))
    return sum(found.values()), ""


def check_eviction(store: Store, pod: Obj) -> None:
    """Raises TooManyRequests (cause DisruptionBudget) while a budget forbids it, ApiError with two."""
    pending = status_of(pod).get("phase") in (None, "Pending")
    if pending or is_finished(pod) or is_terminating(pod):
        return
    budgets = covering(store, pod)
    if len(budgets) > 1:
        raise ApiError(
            "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."
        )
    for budget in budgets:
        verdict = judge(store, budget)
        if not is_ready(pod) and _unhealthy_may_go(budget, verdict):
            continue
        if verdict.allowed < 1:
            raise _refusal(budget, verdict)


def _unhealthy_may_go(budget: Obj, verdict: Verdict) -> bool:
    if spec_of(budget).get("unhealthyPodEvictionPolicy") == "AlwaysAllow":
        return True
    return verdict.desired > 0 and verdict.healthy >= verdict.desired


def _refusal(budget: Obj, verdict: Verdict) -> TooManyRequests:
    told = f"needs {verdict.desired} healthy pods and has {verdict.healthy} currently"
    if verdict.error:
        told = f"does not allow evicting pods currently because it failed sync: {verdict.error}"
    cause = {"reason": "DisruptionBudget", "message": f"The disruption budget {name_of(budget)} {told}"}
    return TooManyRequests(
        "Cannot evict pod as it would violate the pod's disruption budget.", {"causes": [cause]}
    )
