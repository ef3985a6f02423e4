"""Subjects to target versions: control planes, then the nodes in waves, never below N-1 gateways.

Knows no product: what moves and in which order is each role's recipe.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rollout.model.plan import Hop, Plan, PlanKind, Target
from rollout.model.recipe import NodesStage, NoRecipe, ReplaceNodeAgents
from rollout.model.site import Site
from rollout.planner.assemble import Hopping
from rollout.planner.enough import require_enough
from rollout.planner.gates import gates_of
from rollout.planner.goals import targets_of
from rollout.planner.leg import Leg
from rollout.planner.nodes_stage import Frame
from rollout.planner.preconditions import (
    agents_were_seen,
    charts_are_at_rest,
    goes_up,
    jump_is_legal,
    kubernetes_is_supported,
    newer_than_known,
    versions_are_known,
)
from rollout.planner.proof import prove
from rollout.planner.refuse import RuleRefused
from rollout.planner.request import Request, as_request
from rollout.planner.seal import seal
from rollout.planner.standing import standing


def plan_upgrade(first: Request | Site, *rest: Any) -> Plan:
    """Only what is not yet at its target is in the plan; nothing to do gives a plan with no steps.

    Raises PlanRefused with the rule that forbids it, the numbers, the rule's source and the way out.
    """
    request = as_request(first, *rest)
    targets = targets_of(request)
    versions_are_known(request, targets)
    for target in targets:
        goes_up(request, target)
        charts_are_at_rest(request.observed, request.roles[target.subject])
    hops = tuple(Hop(t.subject, t.before or "", t.after) for t in targets)
    legs = tuple(leg_of(request, hop) for hop in hops)
    for leg in legs:
        jump_is_legal(request, leg)
    built = Hopping(frame_of(request), legs).build(standing(request.observed))
    warnings = (*require_enough(request, built.waves), *_warnings(request, targets, legs))
    proof = prove(request.site, request.observed, request.roles, request.book, built.waves)
    return seal(PlanKind.UPGRADE, request, targets, built.waves, proof, warnings)


def leg_of(request: Request, hop: Hop) -> Leg:
    role = request.roles[hop.subject]
    try:
        recipe = role.recipe(hop.before, hop.after)
    except NoRecipe as error:
        raise RuleRefused(error.rule, str(error), where=hop.subject, hint=error.fix) from None
    walks = (stage for stage in recipe.stages if isinstance(stage, NodesStage))
    actions = (action for stage in walks for action in stage.actions)
    replaced = (c for a in actions if isinstance(a, ReplaceNodeAgents) for c in a.components)
    agents_were_seen(request, role, replaced)
    return Leg(hop, role, recipe)


def frame_of(request: Request) -> Frame:
    site = request.site
    order = tuple(node.name for node in site.nodes)
    return Frame(site, site.policy.waves, site.pacing, gates_of(site, request.options), order)


def _warnings(request: Request, targets: tuple[Target, ...], legs: tuple[Leg, ...]) -> Iterator[str]:
    for target in targets:
        kind = request.roles[target.subject].kind
        for verdict in kubernetes_is_supported(request, kind, target.after, request.observed.kubernetes):
            yield f"{verdict.rule}: {verdict.arithmetic}"
        unseen = newer_than_known(request.book, kind, target.after)
        if unseen:
            yield unseen
    for leg in legs:
        yield from leg.recipe.notes
