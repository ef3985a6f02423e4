"""How far a rolling update may go at once."""

from __future__ import annotations

from lab.kube.objects import Obj, spec_of
from lab.kube.quantities import count_down, count_up


def limits(deployment: Obj) -> tuple[int, int]:
    """(maxSurge, maxUnavailable) as counts; never both 0, which could not move at all."""
    rolling = spec_of(deployment)["strategy"].get("rollingUpdate") or {}
    wanted = int(spec_of(deployment)["replicas"])
    surge = count_up(rolling.get("maxSurge", "25%"), wanted)
    unavailable = count_down(rolling.get("maxUnavailable", "25%"), wanted)
    return surge, unavailable if surge or unavailable else 1
