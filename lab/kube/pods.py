"""What a pod's status means to controllers: ready, available, active."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from lab.kube.objects import condition, is_terminating, is_true, parse_time, status_of


def is_ready(pod: Mapping[str, Any]) -> bool:
    return is_true(pod, "Ready")


def is_active(pod: Mapping[str, Any]) -> bool:
    """Not finished and not on its way out: what counts as a replica."""
    return not is_terminating(pod) and not is_finished(pod)


def is_finished(pod: Mapping[str, Any]) -> bool:
    return status_of(pod).get("phase") in ("Succeeded", "Failed")


def available_in(pod: Mapping[str, Any], min_ready: float, now: datetime) -> float | None:
    """Seconds until the pod counts as available (0: it does), None while it is not ready."""
    ready = condition(pod, "Ready")
    if ready is None or ready["status"] != "True" or is_terminating(pod):
        return None
    if not min_ready:
        return 0.0
    since = parse_time(ready.get("lastTransitionTime") or pod["metadata"]["creationTimestamp"])
    return max(0.0, min_ready - (now - since).total_seconds())


def is_available(pod: Mapping[str, Any], min_ready: float, now: datetime) -> bool:
    return available_in(pod, min_ready, now) == 0.0
