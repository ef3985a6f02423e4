"""The last act of planning: empty waves dropped, digests taken, the id computed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from types import MappingProxyType

from rollout.model.plan import Hop, NextHopChanges, Plan, PlanKind, Signatures, Stage, Target, Wave
from rollout.model.policy import Purpose, people_needed
from rollout.model.proof import Proof
from rollout.planner.codec import content_id
from rollout.planner.digest import observed_digest
from rollout.planner.proof import warnings_of
from rollout.planner.request import Request
from rollout.planner.untrust import removes_root
from rollout.site.digest import site_digest


def seal(
    kind: PlanKind,
    request: Request,
    targets: tuple[Target, ...],
    waves: tuple[Wave, ...],
    proof: Proof,
    warnings: tuple[str, ...] = (),
    hops: tuple[Hop, ...] = (),
    next_hops: tuple[NextHopChanges, ...] = (),
) -> Plan:
    kinds = {request.roles[target.subject].kind for target in targets if target.subject in request.roles}
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
        hops=hops,
        next_hops=next_hops,
        signatures=tuple(_signatures(kind, request, waves)) if waves else (),
        options=request.options,
        rules_as_of=request.book.oldest(kinds).isoformat() if kinds else "",
    )
    return replace(plan, id=content_id(plan))


_PURPOSES = MappingProxyType(
    {
        PlanKind.UPGRADE: Purpose.UPGRADE,
        PlanKind.MAINTAIN: Purpose.MAINTAIN,
        PlanKind.ROLLBACK: Purpose.ROLLBACK,
    }
)


def signatures(kind: PlanKind, request: Request) -> Iterator[Signatures]:
    """What the site asks for this kind of plan; breaking the glass always needs somebody else's name."""
    purpose, policy = _PURPOSES.get(kind), request.site.policy
    people = people_needed(policy, purpose) if purpose is not None else 0
    if purpose is not None and people:
        yield Signatures(purpose.value, people)
    if request.options.break_glass:
        yield Signatures(Purpose.BREAK_GLASS.value, max(1, people_needed(policy, Purpose.BREAK_GLASS)))


def _signatures(kind: PlanKind, request: Request, waves: tuple[Wave, ...]) -> Iterator[Signatures]:
    """Removing a root cuts off whoever was forgotten: two people, whatever the site says."""
    yield from signatures(kind, request)
    if removes_root(waves):
        yield Signatures(Purpose.ROOT_REMOVAL.value, people_needed(request.site.policy, Purpose.ROOT_REMOVAL))


def wave(name: str, racks: Iterable[str], *stages: Stage) -> tuple[Wave, ...]:
    """One wave, or none if nothing in it has a step."""
    filled = tuple(stage for stage in stages if stage.steps)
    return (Wave(name, tuple(racks), filled),) if filled else ()
