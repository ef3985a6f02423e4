"""The last act of planning: empty waves dropped, digests taken, the id computed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from rollout.model.plan import Plan, PlanKind, Stage, Target, Wave
from rollout.model.proof import Proof
from rollout.planner.codec import content_id
from rollout.planner.digest import observed_digest
from rollout.planner.proof import warnings_of
from rollout.planner.request import Request
from rollout.site.digest import site_digest


def seal(
    kind: PlanKind,
    request: Request,
    targets: tuple[Target, ...],
    waves: tuple[Wave, ...],
    proof: Proof,
    warnings: tuple[str, ...] = (),
) -> Plan:
    plan = Plan(
        id="",
        kind=kind,
        site=request.site.name,
        site_digest=site_digest(request.site),
        observed_digest=observed_digest(request.site, request.observed),
        targets=targets,
        waves=waves,
        proof=proof,
        warnings=tuple(dict.fromkeys((*warnings, *warnings_of(proof)))),
        options=request.options,
    )
    return replace(plan, id=content_id(plan))


def wave(name: str, racks: Iterable[str], *stages: Stage) -> tuple[Wave, ...]:
    """One wave, or none if nothing in it has a step."""
    filled = tuple(stage for stage in stages if stage.steps)
    return (Wave(name, tuple(racks), filled),) if filled else ()
