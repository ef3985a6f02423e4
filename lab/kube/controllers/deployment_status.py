"""What a Deployment says of itself: counts, and the conditions that ``rollout status`` and Helm wait for."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from lab.kube.controllers.rolling import limits
from lab.kube.objects import (
    Obj,
    condition,
    name_of,
    namespace_of,
    parse_time,
    spec_of,
    status_of,
    timestamp,
    with_condition,
)
from lab.kube.resource import DEPLOYMENTS
from lab.kube.store import Store


def tell(store: Store, deployment: Obj, sets: Sequence[Obj], new: Obj | None) -> float | None:
    """Write the status; returns seconds until the progress deadline could pass."""
    live = store.require(DEPLOYMENTS, namespace_of(deployment), name_of(deployment))
    wanted = int(spec_of(live)["replicas"])
    available = sum(int(status_of(one).get("availableReplicas", 0)) for one in sets)
    counts = {
        "replicas": sum(int(status_of(one).get("replicas", 0)) for one in sets),
        "updatedReplicas": int(status_of(new).get("replicas", 0)) if new else 0,
        "readyReplicas": sum(int(status_of(one).get("readyReplicas", 0)) for one in sets),
        "availableReplicas": available,
        "unavailableReplicas": max(0, wanted - available),
    }
    status = {**counts, "observedGeneration": live["metadata"]["generation"]}
    now = timestamp(store.clock.now())
    conditions = with_condition(status_of(live).get("conditions") or (), _availability(live, available, now))
    failing = condition(new, "ReplicaFailure") if new else None
    if failing is not None:
        conditions = with_condition(conditions, failing)
    progress, again = _progress(store, live, counts, new)
    status["conditions"] = with_condition(conditions, progress)
    store.patch_status(DEPLOYMENTS, namespace_of(live), name_of(live), status)
    return again


def _availability(deployment: Obj, available: int, now: str) -> Obj:
    enough = available >= int(spec_of(deployment)["replicas"]) - limits(deployment)[1]
    return {
        "type": "Available",
        "status": "True" if enough else "False",
        "reason": "MinimumReplicasAvailable" if enough else "MinimumReplicasUnavailable",
        "message": f"Deployment {'has' if enough else 'does not have'} minimum availability.",
        "lastTransitionTime": now,
        "lastUpdateTime": now,
    }


def _progress(
    store: Store, deployment: Obj, counts: dict[str, int], new: Obj | None
) -> tuple[Obj, float | None]:
    """The Progressing condition; its update time moves only when something moved."""
    wanted = int(spec_of(deployment)["replicas"])
    done = (
        counts["updatedReplicas"] == wanted
        and counts["replicas"] == wanted
        and counts["availableReplicas"] == wanted
    )
    name = name_of(new) if new else ""
    moment = store.clock.now()
    before = condition(deployment, "Progressing")
    moved = before is None or any(status_of(deployment).get(k, 0) != v for k, v in counts.items())
    since = timestamp(moment) if moved or before is None else before["lastUpdateTime"]
    told: Obj = {"type": "Progressing", "lastUpdateTime": since, "lastTransitionTime": timestamp(moment)}
    if done:
        text = f'ReplicaSet "{name}" has successfully progressed.'
        return {**told, "status": "True", "reason": "NewReplicaSetAvailable", "message": text}, None
    deadline = parse_time(since) + timedelta(seconds=int(spec_of(deployment)["progressDeadlineSeconds"]))
    if moment >= deadline:
        text = f'ReplicaSet "{name}" has timed out progressing.'
        return {**told, "status": "False", "reason": "ProgressDeadlineExceeded", "message": text}, None
    text = f'ReplicaSet "{name}" is progressing.'
    left = (deadline - moment).total_seconds()
    return {**told, "status": "True", "reason": "ReplicaSetUpdated", "message": text}, left
