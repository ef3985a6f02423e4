"""What a plan is about to do, as far as its gates must know: read once from the plan, asked before every node."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from rollout.model.plan import Hop, Plan, Target
from rollout.model.rekey import RenewProxies
from rollout.model.step import Evict, EvictAll, ReplaceAgents

Leaving = Evict | EvictAll | ReplaceAgents | RenewProxies


@dataclass(frozen=True, slots=True)
class Aims:
    """``visits``: what each node's pods are asked to do. ``versions``: what each subject may run meanwhile.

    Without a plan both are empty, and the question is about a site as it stands.
    """

    break_glass: str = ""
    visits: Mapping[str, tuple[Leaving, ...]] = field(default_factory=dict)
    versions: Mapping[str, frozenset[str]] = field(default_factory=dict)


def aims(plan: Plan) -> Aims:
    visits: dict[str, list[Leaving]] = defaultdict(list)
    versions: dict[str, set[str]] = defaultdict(set)
    moves: tuple[Target | Hop, ...] = (*plan.targets, *plan.hops)
    for move in moves:
        versions[move.subject] |= {version for version in (move.before, move.after) if version}
    for _, _, _, step in plan.numbered():
        if isinstance(step.effect, Leaving):
            visits[step.effect.node].append(step.effect)
    return Aims(
        plan.options.break_glass,
        {node: tuple(dict.fromkeys(effects)) for node, effects in visits.items()},
        {subject: frozenset(found) for subject, found in versions.items()},
    )
