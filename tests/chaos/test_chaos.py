"""A hundred upgrades, one failure each: N-1 is kept in the ToRs' tables, nobody else's mark is touched, no pod is
taken twice, and each run ends: done after it was resumed, or held with its reason and nothing half-done unsaid.

The rack is simulated; planner, engine, gates and journal are the product's. ``make chaos`` shows the same as a table.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from rollout.engine.outcome import Word
from rollout.model.plan import Plan, Stage, Wave
from rollout.model.step import AwaitNodeReady, AwaitWithdrawn, Cordon, DrainGateways, Evict, Soak, Uncordon
from tests.chaos.campaign import Ending, carry_out
from tests.chaos.faults import Fault, Kind
from tests.chaos.scenario import KINDS, Scenario, scenario
from tests.unit.sites import site


@pytest.mark.parametrize("seed", range(100))
def test_an_upgrade_with_one_failure_keeps_n_minus_1_and_ends(seed: int) -> None:
    ending = carry_out(scenario(seed))
    assert ending.wrong == ()
    assert ending.samples > 0


def test_a_hundred_seeds_have_every_kind_of_failure_six_times() -> None:
    kinds = [scenario(seed).kind for seed in range(100)]
    assert min(kinds.count(kind) for kind in KINDS) >= 6


def without_gates(plan: Plan) -> Plan:
    def of(stage: Stage) -> Stage:
        return replace(stage, steps=tuple(replace(step, gates=()) for step in stage.steps))

    waves = tuple(replace(wave, stages=tuple(map(of, wave.stages))) for wave in plan.waves)
    return replace(plan, waves=waves)


def test_the_same_failures_without_gates_break_n_minus_1() -> None:
    """NEGATIVE CONTROL: what the gates save. If this finds nothing, the campaign above proves nothing."""
    endings = [carry_out(scenario(seed, (Kind.GATEWAY_LOST,)), without_gates) for seed in range(12)]
    broken = [ending for ending in endings if ending.lowest < ending.floor]
    assert len(broken) >= 6
    assert all(carry_out(scenario(e.seed, (Kind.GATEWAY_LOST,))).wrong == () for e in broken)


def test_draining_after_withdrawing_nothing_loses_connections() -> None:
    """NEGATIVE CONTROL: a plan that evicts without withdrawing sends clients to pods that are gone."""

    def careless(plan: Plan) -> Plan:
        def of(wave: Wave) -> Wave:
            stages = (
                replace(s, steps=tuple(x for x in s.steps if not _withdraws(x.key))) for s in wave.stages
            )
            return replace(wave, stages=tuple(stages))

        return without_gates(replace(plan, waves=tuple(map(of, plan.waves))))

    assert carry_out(scenario(0, (Kind.KILLED,)), careless).lost > 0


def _withdraws(key: str) -> bool:
    return key.rsplit("/", 1)[-1] in ("withdraw", "await-withdrawn")


def doubled(effect: type, others: int = 1, *, itself: bool = False) -> Ending:
    """As that step of the plan's first gateway node starts, other gateways die (and the node ``itself``)."""
    small = site((1, 2, 1), workers=1)

    def pick(plan: Plan) -> Fault:
        out = next(s.node for _, _, _, s in plan.numbered() if isinstance(s.effect, AwaitWithdrawn))
        number = next(n for n, _, _, s in plan.numbered() if isinstance(s.effect, effect) and s.node == out)
        names = [node.name for node in small.gateway_nodes if node.name != out][:others]
        victims = ",".join([*names, *([out or ""] if itself else [])])
        return Fault(Kind.GATEWAY_LOST, number, victim=victims, says="RIB|N1|connections|next-hop")

    return carry_out(Scenario(0, Kind.GATEWAY_LOST, small, pick))


def require_no_worse(ending: Ending, least: int) -> None:
    """Held until somebody repaired it, then done; fewer next-hops than N-1 is all that was wrong."""
    assert ending.lowest == least, "those that failed, and none that the run took"
    assert ending.stops, "the run was held until someone repaired the other gateway"
    assert ending.word is Word.DONE
    assert [w for w in ending.wrong if "next-hops" not in w] == []


@pytest.mark.parametrize("effect", [Cordon, Evict, AwaitNodeReady, Uncordon])
def test_a_second_gateway_lost_while_one_is_out_holds_the_run_and_is_never_made_worse(effect: type) -> None:
    """PHYSICAL DOUBLE FAILURE: two of four gateways are gone and no software keeps N-1. It can stop digging."""
    require_no_worse(doubled(effect), least=2)


def test_the_moving_node_and_another_gateway_dying_hold_the_run() -> None:
    require_no_worse(doubled(AwaitNodeReady, itself=True), least=2)


@pytest.mark.parametrize("others", [2, 3])
def test_a_rack_or_feed_with_several_gateways_dying_while_none_is_moved_holds_before_the_next(
    others: int,
) -> None:
    require_no_worse(doubled(DrainGateways, others), least=4 - others)


def test_a_second_gateway_lost_while_the_first_soaks_is_a_single_failure_and_keeps_n_minus_1() -> None:
    assert doubled(Soak).wrong == ()
