"""From targets to hops, and from hops to groups that share one walk over the nodes.

Every walk takes each gateway node out once, and every time that happens each VIP's next-hops change twice, which
costs kept-alive connections at a ToR without resilient hashing. So hops of different subjects share a walk wherever
the support tables allow their versions side by side.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from functools import cache

from rollout.model.plan import Hop, Target
from rollout.model.recipe import (
    ChartsStage,
    CommandStage,
    NodesStage,
    NoRecipe,
    Recipe,
    RecipeStage,
    ReplaceNodeAgents,
    ServersStage,
)
from rollout.planner.fleet_start import start
from rollout.planner.leg import Leg
from rollout.planner.movers import standing_of
from rollout.planner.path import find
from rollout.planner.preconditions import agents_were_seen, jump_is_legal
from rollout.planner.refuse import RuleRefused
from rollout.planner.request import Request
from rollout.planner.standing import KUBERNETES
from rollout.rules.evaluate import support_verdicts

Groups = tuple[tuple[Leg, ...], ...]


def legs_of(request: Request, targets: Collection[Target]) -> tuple[Leg, ...]:
    """The path's hops with their recipes, or one hop each where the operator asks for no path."""
    if request.one_jump:
        direct = tuple(leg_of(request, Hop(t.subject, t.before or "", t.after)) for t in targets)
        for leg in direct:
            jump_is_legal(request, leg)
        return direct
    fleet = start(request.site, request.observed, request.roles)
    goal = {target.subject: target.after for target in targets}
    via: defaultdict[str, list[str]] = defaultdict(list)
    for subject, version in request.via:
        via[subject].append(version)
    hops = find(request.book, standing_of(fleet), goal, via)
    return tuple(leg_of(request, hop) for hop in hops)


def leg_of(request: Request, hop: Hop) -> Leg:
    """Raises PlanRefused with the role's own rule where it has no way for this hop."""
    role = request.roles[hop.subject]
    try:
        recipe = role.recipe(hop.before, hop.after)
    except NoRecipe as error:
        raise RuleRefused(error.rule, str(error), where=hop.subject, hint=error.fix) from None
    leg = Leg(hop, role, _only(recipe, hop.component) if hop.component else recipe)
    agents_were_seen(request, role, _replaced(leg.recipe))
    return leg


def _replaced(recipe: Recipe) -> Iterator[str]:
    for stage in recipe.stages:
        if isinstance(stage, NodesStage):
            for action in stage.actions:
                if isinstance(action, ReplaceNodeAgents):
                    yield from action.components


def _only(recipe: Recipe, component: str) -> Recipe:
    """A component that moves apart takes its own stages; what names no component goes ahead of the first."""
    named = [(stage, _components(stage)) for stage in recipe.stages]
    first = next((names for _, names in named if names), frozenset())
    kept = tuple(s for s, names in named if component in names or (not names and component in first))
    return Recipe(recipe.subject, recipe.kind, recipe.method, recipe.before, recipe.after, kept, recipe.notes)


def _components(stage: RecipeStage) -> frozenset[str]:
    match stage:
        case ChartsStage(components=components):
            return frozenset(components)
        case ServersStage(component=component):
            return frozenset({component})
        case CommandStage(component=component):
            return frozenset({component} if component else ())
        case NodesStage(actions=actions):
            found = (
                a.components if isinstance(a, ReplaceNodeAgents) else (a.component,) if a.component else ()
                for a in actions
            )
            return frozenset(name for names in found for name in names)
        case _:
            return frozenset()


def alone(legs: Sequence[Leg]) -> Groups:
    return tuple((leg,) for leg in legs)


def grouped(request: Request, legs: Sequence[Leg]) -> Groups:
    """The fewest walks: the hops stay in their order and are cut into runs that may share one.

    Dynamic programming over where the last run begins; among equals the one with fewer runs, then the longer first.
    """

    @cache
    def best(end: int) -> tuple[int, int, tuple[int, ...]]:
        if end == 0:
            return 0, 0, ()
        choices = []
        for begin in range(end):
            if end - begin == 1 or _together(request, legs[begin:end]):
                walks, runs, cuts = best(begin)
                choices.append((walks + _walks(legs[begin:end]), runs + 1, (*cuts, begin)))
        return min(choices)

    cuts = best(len(legs))[2]
    ends = (*cuts[1:], len(legs)) if cuts else ()
    return tuple(tuple(legs[a:b]) for a, b in zip(cuts, ends, strict=True))


def _walks(legs: Sequence[Leg]) -> bool:
    return any(isinstance(stage, NodesStage) for leg in legs for stage in leg.recipe.stages)


def _together(request: Request, legs: Sequence[Leg]) -> bool:
    """One hop of each mover, and every version of every one of them supported beside every Kubernetes among them."""
    movers = [(leg.subject, leg.hop.component) for leg in legs]
    if len(set(movers)) < len(movers):
        return False
    apis = {v for leg in legs if leg.role.kind == KUBERNETES for v in (leg.hop.before, leg.hop.after)}
    others = {
        (leg.role.kind, v)
        for leg in legs
        if leg.role.kind != KUBERNETES
        for v in (leg.hop.before, leg.hop.after)
    }
    return all(_supported(request, kind, version, api) for kind, version in others for api in apis)


def _supported(request: Request, kind: str, version: str, kubernetes: str) -> bool:
    return not any(verdict.refuses for verdict in support_verdicts(request.book, kind, version, kubernetes))


def names_of(groups: Groups) -> tuple[tuple[str, str], ...]:
    """For each group what stands before its waves' names and its keys; nothing in a plan of one group."""
    if len(groups) == 1:
        return (("", ""),)
    return tuple(
        (", ".join(f"{label(leg.hop)} {leg.version}" for leg in legs) + ": ", f"hop{number}/")
        for number, legs in enumerate(groups, 1)
    )


def label(hop: Hop) -> str:
    return f"{hop.subject} {hop.component}".strip()
