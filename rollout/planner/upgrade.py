"""Subjects to target versions: control planes, then the nodes in waves, never below N-1 gateways.

Knows no product: what moves and in which order is each role's recipe.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rollout.model.plan import Plan, PlanKind, Target
from rollout.planner.goals import targets_of
from rollout.planner.hops import alone, legs_of
from rollout.planner.interleave import fewest_walks
from rollout.planner.leg import Leg
from rollout.planner.preconditions import (
    charts_are_at_rest,
    goes_up,
    jump_warnings,
    newer_than_known,
    versions_are_known,
)
from rollout.planner.produce import Draft, produce
from rollout.planner.refuse import RuleRefused
from rollout.planner.request import Request


def plan_upgrade(request: Request) -> Plan:
    """Only what is not yet at its target is in the plan; nothing to do gives a plan with no steps.

    Raises PlanRefused with the rule that forbids it, the numbers, the rule's source and the way out.
    """
    targets = targets_of(request)
    versions_are_known(request, targets)
    for target in targets:
        goes_up(request, target)
        charts_are_at_rest(request.observed, request.roles[target.subject])
    legs = legs_of(request, targets)
    site = request.site
    warnings = tuple(_warnings(request, targets, legs))
    draft = Draft(PlanKind.UPGRADE, targets, site.policy.waves, site.pacing, warnings)
    return in_fewest_walks(request, draft, legs)


def in_fewest_walks(request: Request, draft: Draft, legs: Sequence[Leg]) -> Plan:
    """Hops that share a walk pass through states that the path did not ask about: if one breaks a rule, each walks
    alone, as the path has it."""
    groups = fewest_walks(request, draft.targets, legs)
    if groups == alone(legs):
        return produce(request, draft, groups)
    try:
        return produce(request, draft, groups)
    except RuleRefused:
        return produce(request, draft, alone(legs))


def _warnings(request: Request, targets: Sequence[Target], legs: Sequence[Leg]) -> Iterator[str]:
    for target in targets:
        kind = request.roles[target.subject].kind
        unseen = newer_than_known(request.book, kind, target.after)
        if unseen:
            yield unseen
    for leg in legs:
        yield from jump_warnings(request, leg)
        yield from leg.recipe.notes
