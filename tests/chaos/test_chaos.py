"""A hundred upgrades, one failure each: N-1 is kept in the ToRs' tables, nobody else's mark is touched, no pod is
taken twice, and each run ends: done after it was resumed, or held with its reason and nothing half-done unsaid.

The rack is simulated; planner, engine, gates and journal are the product's. ``make chaos`` shows the same as a table.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from rollout.engine.outcome import Word
from rollout.model.plan import Plan, Stage, Wave
from rollout.model.step import AwaitNodeReady, AwaitWithdrawn, Cordon, Evict, Soak, Uncordon
from tests.chaos.campaign import Ending, carry_out
from tests.chaos.faults import Fault, Kind
from tests.chaos.scenario import KINDS, Scenario, scenario
from tests.unit.sites import site


@pytest.mark.parametrize("seed", range(100))
def test_an_upgrade_with_one_failure_keeps_n_minus_1_and_ends(seed: int) -> None:
    ending = carry_out(scenario(seed))
    assert ending.wrong == ()
    assert ending.samples > 0


def test_a_hundred_seeds_have_every_kind_of_failure_seven_times() -> None:
    kinds = [scenario(seed).kind for seed in range(100)]
    assert min(kinds.count(kind) for kind in KINDS) >= 7


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


def doubled(effect: type, lasts: float | None) -> Ending:
    """A second gateway dies while the first gateway node of the plan is out, as that step starts."""
    small = site((1, 1, 1), workers=1)

    def pick(plan: Plan) -> Fault:
        out = next(s.node for _, _, _, s in plan.numbered() if isinstance(s.effect, AwaitWithdrawn))
        number = next(n for n, _, _, s in plan.numbered() if isinstance(s.effect, effect) and s.node == out)
        other = next(node.name for node in small.gateway_nodes if node.name != out)
        return Fault(Kind.GATEWAY_LOST, number, 0.0, lasts, other, says="RIB|N1|connections|next-hop")

    return carry_out(Scenario(0, Kind.GATEWAY_LOST, small, pick))


@pytest.mark.parametrize("effect", [Cordon, Evict, AwaitNodeReady, Uncordon])
def test_a_second_gateway_lost_while_one_is_out_holds_the_run_and_is_never_made_worse(effect: type) -> None:
    """PHYSICAL DOUBLE FAILURE: two of three gateways are gone and no software keeps N-1. It can stop digging."""
    ending = doubled(effect, None)
    assert ending.lowest == ending.floor - 1, "the two that failed, and no third"
    assert ending.stops, "the run was held until someone repaired the other gateway"
    assert ending.word is Word.DONE
    assert [w for w in ending.wrong if "next-hops" not in w] == []


def test_a_second_gateway_lost_while_the_first_soaks_is_a_single_failure_and_keeps_n_minus_1() -> None:
    assert doubled(Soak, None).wrong == ()
