"""From targets to hops with their recipes, and which hops may share one walk over the nodes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence

from rollout.model.plan import Hop, Target
from rollout.model.recipe import (
    ChartsStage,
    CommandOnNode,
    CommandStage,
    NodeAction,
    NodesStage,
    NoRecipe,
    Recipe,
    RecipeStage,
    ReplaceNodeAgents,
    RestartProxies,
    ServersStage,
)
from rollout.planner.fleet_start import start
from rollout.planner.leg import Leg
from rollout.planner.movers import standing_of
from rollout.planner.path import find
from rollout.planner.preconditions import agents_were_seen, jump_is_legal
from rollout.planner.refuse import refuse
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
    hops = find(request.book, standing_of(fleet), *wish_of(request, targets))
    return tuple(leg_of(request, hop) for hop in hops)


def wish_of(request: Request, targets: Collection[Target]) -> tuple[dict[str, str], dict[str, list[str]]]:
    """Goal and versions to pass through, as the path search takes them."""
    via: defaultdict[str, list[str]] = defaultdict(list)
    for subject, version in request.via:
        via[subject].append(version)
    return {target.subject: target.after for target in targets}, via


def leg_of(request: Request, hop: Hop) -> Leg:
    """Raises PlanRefused with the role's own rule where it has no way for this hop."""
    role = request.roles[hop.subject]
    try:
        recipe = role.recipe(hop.before, hop.after)
    except NoRecipe as error:
        raise refuse(error.rule, str(error), where=hop.subject, fix=error.fix) from None
    agents_were_seen(request, role, _on_nodes(recipe))
    return Leg(hop, role, _only(recipe, hop.component) if hop.component else recipe)


def _on_nodes(recipe: Recipe) -> Iterator[str]:
    """Components that every node has its own of; proxies are where pods are, which may be nowhere."""
    actions = (a for stage in recipe.stages if isinstance(stage, NodesStage) for a in stage.actions)
    for action in actions:
        match action:
            case ReplaceNodeAgents(components=components):
                yield from components
            case CommandOnNode(component=str(component)):
                yield component
            case _:
                pass


def _only(recipe: Recipe, component: str) -> Recipe:
    """A component that moves apart takes its own stages; what names no component goes ahead of the first."""
    named = [(stage, _components(stage)) for stage in recipe.stages]
    first = next((names for _, names in named if names), frozenset())
    kept = tuple(s for s, names in named if component in names or (not names and component in first))
    return Recipe(recipe.subject, recipe.kind, recipe.method, recipe.before, recipe.after, kept, recipe.notes)


def _named(action: NodeAction) -> tuple[str, ...]:
    match action:
        case ReplaceNodeAgents(components=components):
            return components
        case RestartProxies(component=str(component)) | CommandOnNode(component=str(component)):
            return (component,)
        case _:
            return ()


def _components(stage: RecipeStage) -> frozenset[str]:
    match stage:
        case ChartsStage(components=components):
            return frozenset(components)
        case ServersStage(component=component):
            return frozenset({component})
        case CommandStage(component=component):
            return frozenset({component} if component else ())
        case NodesStage(actions=actions):
            return frozenset(name for action in actions for name in _named(action))
        case _:
            return frozenset()


def alone(legs: Sequence[Leg]) -> Groups:
    return tuple((leg,) for leg in legs)


def walks(legs: Sequence[Leg]) -> bool:
    return any(isinstance(stage, NodesStage) for leg in legs for stage in leg.recipe.stages)


def together(request: Request, legs: Sequence[Leg]) -> bool:
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
    return tuple((f"{_label(legs)}: ", f"hop{number}/") for number, legs in enumerate(groups, 1))


def _label(legs: Sequence[Leg]) -> str:
    """Such as ``istio 1.31.1, kubernetes apiserver and kubelet 1.36.1``."""
    found: dict[tuple[str, str], list[str]] = {}
    for leg in legs:
        found.setdefault((leg.subject, leg.version), []).append(leg.hop.component)
    words = ((subject, " and ".join(components), version) for (subject, version), components in found.items())
    return ", ".join(" ".join(filter(None, each)) for each in words)
