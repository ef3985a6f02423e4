"""A seed to one upgrade and one failure: which site, which fault, at which step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random

from rollout.model.plan import Plan
from rollout.model.policy import AlertSource
from rollout.model.site import Site
from rollout.model.step import (
    AwaitAdvertised,
    AwaitNodeReady,
    Cordon,
    DrainGateways,
    Effect,
    Evict,
    InstallChart,
    ProbeVips,
    Soak,
    Step,
    Uncordon,
)
from tests.chaos.faults import Fault, Kind
from tests.unit.sites import site

KINDS = tuple(Kind)
TAIL = 3
"""Steps at the end that take no time may be over before a delayed fault comes: none is aimed at them."""


@dataclass(frozen=True, slots=True)
class Scenario:
    seed: int
    kind: Kind
    site: Site
    pick: Callable[[Plan], Fault]


def scenario(seed: int, kinds: tuple[Kind, ...] = KINDS) -> Scenario:
    """Seeds go through the kinds in turn, so that a hundred of them have each at least six times."""
    dice = Random(seed)  # noqa: S311 - the same seed must give the same trouble
    kind = kinds[seed % len(kinds)]
    racks = dice.choice([(1, 1, 1), (2, 2), (1, 2, 1), (2, 0, 2), (1, 1, 1, 1), (2, 1, 1)])
    small = site(racks, workers=dice.randint(1, 2), vips=dice.randint(1, 2))
    if kind is Kind.ALERT_FIRING:
        small = replace(small, policy=replace(small.policy, alerts=AlertSource("http://simulated.example")))
    return Scenario(seed, kind, small, lambda plan: pick(plan, small, kind, dice))


def pick(plan: Plan, small: Site, kind: Kind, dice: Random) -> Fault:  # noqa: C901 - one match over the kinds
    """Where the fault strikes. A step that suits the kind, and a victim that belongs to it."""
    steps = [(number, step) for number, _, _, step in plan.numbered()]
    lasts = dice.choice([1.0, 4.0, 12.0, 30.0, None])
    delay = dice.choice([0.0, 0.1, 0.3])
    any_step, _ = dice.choice(steps[:-TAIL])
    match kind:
        case Kind.API_SILENT:
            return Fault(kind, any_step, delay, lasts, says="kubernetes|did not answer")
        case Kind.TOR_SILENT:
            switch = dice.choice([r.switch.name for r in small.racks if any(n.gateway for n in r.nodes)])
            return Fault(kind, any_step, delay, lasts, switch, says=switch)
        case Kind.PROBE_SILENT | Kind.PROBE_LOSS:
            return Fault(kind, any_step, delay, lasts, says="probe|VIP-ANSWERS|answered|fresh connections")
        case Kind.HELM_FAILS | Kind.HELM_PENDING:
            return Fault(kind, _one(dice, steps, InstallChart)[0], says="helm")
        case Kind.EVICTION_REFUSED:
            repaired = dice.random() < 0.7
            return Fault(kind, _one(dice, steps, Evict)[0], 0.0, lasts, repaired=repaired, says="eviction")
        case Kind.KILLED:
            return Fault(kind, any_step, dice.choice([0.0, 0.05, 0.1, 0.3]))
        case Kind.STOPPED:
            return Fault(kind, any_step, delay, says="asked to stop")
        case Kind.CLOCK_OUT:
            number, step = _one(dice, [(n, s) for n, s in steps if s.node], DrainGateways, Cordon)
            return Fault(kind, number, 0.0, lasts, step.node or "", says="CLOCK-OFFSET")
        case Kind.ALERT_FIRING:
            return Fault(
                kind, _one(dice, steps, InstallChart, DrainGateways)[0], 0.0, lasts, says="ALERTS-QUIET"
            )
        case Kind.FOREIGN_CORDON:
            victim = dice.choice([node.name for node in small.nodes])
            repaired = dice.random() < 0.7
            return Fault(
                kind, any_step, delay, lasts, victim, repaired, says="NODE-FREE|someone else|cordoned"
            )
        case Kind.NEVER_READY | Kind.NODE_NOT_READY | Kind.BGP_FLAP | Kind.GATEWAY_LOST:
            return _of_a_gateway(plan, small, kind, dice, lasts)


def _of_a_gateway(plan: Plan, small: Site, kind: Kind, dice: Random, lasts: float | None) -> Fault:
    """These strike one gateway node: the one that moves, or (none being out) another one."""
    steps = [(n, s) for n, _, _, s in plan.numbered() if s.node and small.node(s.node).gateway]
    match kind:
        case Kind.NEVER_READY:
            number, step = _one(dice, steps, Evict)
            return Fault(kind, number, 0.0, lasts, step.node or "", says="not Ready|no pod")
        case Kind.NODE_NOT_READY:
            number, step = _one(dice, steps, Evict, AwaitNodeReady, Uncordon)
            return Fault(kind, number, dice.choice([0.0, 0.1]), lasts, step.node or "", says="Ready|RIB|N1")
        case Kind.BGP_FLAP:
            number, step = _one(dice, steps, AwaitAdvertised, ProbeVips, Soak)
            return Fault(
                kind, number, dice.choice([0.0, 0.1]), lasts, step.node or "", says="RIB|N1|next-hop"
            )
        case _:
            number, step = _one(dice, steps, DrainGateways)
            others = [node.name for node in small.gateway_nodes if node.name != step.node]
            delay = dice.choice([0.0, 0.1, 0.5])
            return Fault(kind, number, delay, lasts, dice.choice(others), says="RIB|N1")


def _one(dice: Random, steps: list[tuple[int, Step]], *kinds: type[Effect]) -> tuple[int, Step]:
    return dice.choice([(number, step) for number, step in steps if isinstance(step.effect, kinds)])
