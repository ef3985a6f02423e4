"""A thousand nodes on a real control plane: our engine rolls them rack by rack, and the API itself says how it went."""

from __future__ import annotations

from rollout.engine.outcome import Word
from rollout.model.plan import Plan, Wave
from rollout.model.step import Cordon, Step
from tests.e2e.scale.conftest import BEFORE
from tests.e2e.scale.stage import Driven, Record, Stage, marked
from tests.real.fleet import TENANT
from tests.real.witness import PodSeen

AFTER = "1.31.1"


def test_a_thousand_nodes_are_upgraded_rack_by_rack_and_no_vip_is_ever_below_n_minus_1(stage: Stage) -> None:
    world = stage.world()
    plan = stage.upgrade(world, AFTER)
    run = Driven(stage)
    outcome = run.apply(world, plan)
    assert (outcome.word, outcome.detail) == (Word.DONE, "")
    record, gateway = run.record(), stage.fleet.gateway
    everyone = len(world.site.gateway_nodes)
    assert everyone == 60
    assert record.fewest_serving(gateway.namespace, gateway.name) == everyone - 1
    assert proxies(stage) == {AFTER}
    assert marked(stage.witness) == []
    assert record.refused() == []
    each_old_proxy_went_once(record)
    nobody_else_was_touched(record, world.site.meshes[0].namespace)
    wave_after_wave(plan, record)


def proxies(stage: Stage) -> set[str]:
    return {pod.proxy for pod in stage.witness.pods() if pod.proxy and not pod.going}


def each_old_proxy_went_once(record: Record) -> None:
    """Every proxy that began to terminate was at the old version, and was evicted by the eviction API, once."""
    going = [pod for pod in record.going() if pod.proxy]
    old = [p for p in record.before.values() if isinstance(p, PodSeen) and p.proxy == BEFORE]
    assert {pod.uid for pod in going} == {pod.uid for pod in old}
    assert set(record.evictions().values()) == {1}
    assert record.evictions().keys() == {f"{pod.namespace}/{pod.name}" for pod in old}


def nobody_else_was_touched(record: Record, control_plane: str) -> None:
    """Only istiod's own pods went beside them: its Deployment rolled, as Helm asked it to."""
    others = [pod for pod in record.going() if pod.proxy is None]
    assert {pod.namespace for pod in others} == {control_plane}
    assert not [pod for pod in record.going() if pod.namespace == TENANT]


def wave_after_wave(plan: Plan, record: Record) -> None:
    """Nodes go in the plan's order, each once; a wave's last node is back before the next wave's first one goes."""
    waves = {step.node: number for number, wave in enumerate(plan.waves) for step in cordons(wave)}
    assert [name for name, on in record.cordons() if on] == list(waves)
    out: set[str] = set()
    for name, on in record.cordons():
        out = out | {name} if on else out - {name}
        assert len({waves[node] for node in out}) <= 1, out
    assert out == set()


def cordons(wave: Wave) -> list[Step]:
    return [step for stage in wave.stages for step in stage.steps if isinstance(step.effect, Cordon)]
