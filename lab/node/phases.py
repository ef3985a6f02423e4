"""A pod's life on its node as values: what its probes have shown, and the status that follows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from lab.node.podspec import PodSpec, Readiness

SIMULATED = "lab.rackroll.io/simulated"


class Phase(StrEnum):
    CREATING = "creating"
    NO_IMAGE = "no-image"
    CRASHED = "crashed"
    RUNNING = "running"


@dataclass(frozen=True, slots=True)
class Life:
    """Where one pod stands. ``failing_since`` is monotonic seconds, None while the probe passes."""

    phase: Phase = Phase.CREATING
    ready: bool = False
    restarts: int = 0
    failing_since: float | None = None
    message: str = ""


def probed(life: Life, passed: bool, readiness: Readiness, now: float) -> Life:
    """One look at the readiness endpoint. Success counts at once; failure only after period times failures.

    The lab looks more often than ``period``, so a pod is ready sooner than on a real kubelet, never unready sooner.
    """
    if passed:
        return replace(life, ready=True, failing_since=None)
    since = now if life.failing_since is None else life.failing_since
    lasting = now - since >= readiness.period * readiness.failures
    return replace(life, ready=life.ready and not lasting, failing_since=since)


def crashed(life: Life, message: str) -> Life:
    return Life(Phase.CRASHED, ready=False, restarts=life.restarts + 1, message=message)


def backoff(restarts: int) -> float:
    """Seconds before a crashed container starts again. Kubelet begins at 10 s; the lab at 0.5 s, doubling to 10 s."""
    return float(min(0.5 * 2 ** max(restarts - 1, 0), 10.0))


@dataclass(frozen=True, slots=True)
class Addresses:
    pod: str
    host: str


def pod_status(
    spec: PodSpec, life: Life, addresses: Addresses, before: Mapping[str, Any], now: str
) -> dict[str, Any]:
    """The status to patch; ``now`` and the times in ``before`` are RFC 3339, and unchanged conditions keep theirs."""
    started = before.get("startTime") or now
    conditions = [
        _condition("PodScheduled", True, before, now),
        _condition("Initialized", True, before, now),
        _condition("ContainersReady", life.ready, before, now),
        _condition("Ready", life.ready, before, now),
    ]
    return {
        "phase": "Pending" if life.phase in (Phase.CREATING, Phase.NO_IMAGE) else "Running",
        "hostIP": addresses.host,
        "hostIPs": [{"ip": addresses.host}],
        "podIP": addresses.pod,
        "podIPs": [{"ip": addresses.pod}],
        "startTime": started,
        "conditions": conditions,
        "containerStatuses": [_container(spec, life, c.name, c.image, started) for c in spec.containers],
    }


def _condition(kind: str, holds: bool, before: Mapping[str, Any], now: str) -> dict[str, Any]:
    status = "True" if holds else "False"
    conditions: Sequence[Mapping[str, Any]] = before.get("conditions") or ()
    old = next((c for c in conditions if c["type"] == kind and c["status"] == status), None)
    since = (old or {}).get("lastTransitionTime") or now
    return {"type": kind, "status": status, "lastTransitionTime": since}


def _container(spec: PodSpec, life: Life, name: str, image: str, started: str) -> dict[str, Any]:
    pretended = name in spec.simulated
    running = life.phase is Phase.RUNNING or (pretended and life.phase is not Phase.CREATING)
    return {
        "name": name,
        "image": image,
        "imageID": f"simulated://{image}",
        "containerID": f"{_runtime(spec, pretended=pretended)}://{spec.uid}/{name}",
        "ready": running and (pretended or life.ready),
        "started": running,
        "restartCount": 0 if pretended else life.restarts,
        "state": {"running": {"startedAt": started}} if running else {"waiting": _waiting(life)},
    }


def _runtime(spec: PodSpec, *, pretended: bool) -> str:
    if pretended:
        return "simulated"
    return "stand-in" if spec.stand_in else "envoy"


def _waiting(life: Life) -> dict[str, str]:
    match life.phase:
        case Phase.NO_IMAGE:
            return {"reason": "ErrImagePull", "message": life.message}
        case Phase.CRASHED:
            return {"reason": "CrashLoopBackOff", "message": life.message}
        case _:
            return {"reason": "ContainerCreating"}
