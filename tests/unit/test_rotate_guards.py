"""The engine's own guards: what it holds whatever a plan says, an edited one too, and what it waits for by name."""

from __future__ import annotations

from threading import Event

import pytest

from rollout.engine.journal import MemoryJournal
from rollout.engine.outcome import Word
from rollout.engine.run import resume
from rollout.engine.trust import Declared
from rollout.errors import Unreachable
from rollout.model.gate import Verdict
from rollout.model.rekey import HandOver, Signer
from rollout.model.step import Step
from tests.unit.fake_trust import FakeTrust, anchor
from tests.unit.fake_world import TEMPO
from tests.unit.trust_scenes import EVERY, SCENES, WITH_ISSUERS, Stage, before, single

OLD, NEW = Signer(1, 1), Signer(2, 1)
BY_TWO_STEPS = WITH_ISSUERS
"""Meshes that are told of the new root and of the new signer apart."""


def holds(stage: Stage, step: Step, check: str) -> str:
    """The engine holds this one hand-over, whatever plan it stands in, and the mesh is told nothing."""
    told = list(stage.trust.log)
    outcome = stage.apply(single(stage.plan(), step))
    assert outcome.word is Word.HELD, outcome.detail
    assert {f.check for f in outcome.findings} == {check}, outcome.detail
    assert stage.trust.log == told
    return outcome.detail


@pytest.mark.parametrize("name", BY_TWO_STEPS)
def test_the_engine_holds_a_root_that_a_live_leaf_still_needs_whatever_the_plan_says(name: str) -> None:
    stage = SCENES[name].build()
    first, _ = before(stage.plan(), HandOver, 2)
    assert stage.apply(first).word is Word.DONE
    mesh = stage.trust.mesh
    early = Step("edited", HandOver(mesh, (2,), NEW, untrusts=(1,)))
    assert "serves a leaf from issuer" in holds(stage, early, "PKI-CENSUS")
    stage.unbroken()


@pytest.mark.parametrize("name", BY_TWO_STEPS)
def test_the_engine_holds_a_root_that_goes_out_of_the_bundle_without_the_plan_saying_so(name: str) -> None:
    """Else a plan could remove a root and be signed by nobody."""
    stage = SCENES[name].build()
    first, _ = before(stage.plan(), HandOver, 3)
    assert stage.apply(first).word is Word.DONE
    unsaid = Step("edited", HandOver(stage.trust.mesh, (2,), NEW))
    assert "does not say that it takes it out" in holds(stage, unsaid, "PKI-TRUST")


@pytest.mark.parametrize("name", BY_TWO_STEPS)
def test_the_engine_holds_a_signer_that_somebody_does_not_trust_whatever_the_plan_says(name: str) -> None:
    stage = SCENES[name].build()
    stage.trust.mint(NEW)
    mesh = stage.trust.mesh
    swap = Step("edited", HandOver(mesh, (1, 2), NEW))
    assert "does not trust" in holds(stage, swap, "PKI-TRUST")


@pytest.mark.parametrize("name", EVERY)
def test_the_engine_holds_a_signer_whose_own_anchor_is_not_in_the_bundle(name: str) -> None:
    stage = SCENES[name].build()
    stage.trust.mint(NEW)
    odd = Step("edited", HandOver(stage.trust.mesh, (1,), NEW))
    assert "under an anchor that it takes out" in holds(stage, odd, "PKI-TRUST")


@pytest.mark.parametrize("name", BY_TWO_STEPS)
@pytest.mark.parametrize("lost", ["a verifier is silent", "the signer cannot be read"])
def test_the_engine_holds_a_switch_that_it_cannot_see_to_be_safe(name: str, lost: str) -> None:
    stage = SCENES[name].build()
    stage.trust.mint(NEW)
    if lost == "a verifier is silent":
        first, _ = before(stage.plan(), HandOver, 2)
        assert stage.apply(first).word is Word.DONE
        plan = stage.plan()
        stage.trust.silent.add(next(p.name for p in stage.trust.sight().parties if not p.leaving))
    else:
        plan = stage.plan()
        stage.trust.lost = True
    step = Step("switch", HandOver(stage.trust.mesh, (1, 2), NEW))
    told = list(stage.trust.log)
    outcome = stage.apply(single(plan, step))
    assert (outcome.word, stage.trust.log) == (Word.HELD, told)
    assert {f.check for f in outcome.findings} == {"PKI-TRUST"}


@pytest.mark.parametrize("name", WITH_ISSUERS)
def test_a_pod_that_never_renews_holds_by_its_name_and_the_old_root_stays(name: str) -> None:
    stage = SCENES[name].build()
    plan = stage.plan()
    victim = next(pod for pod in stage.rack.pods.values() if pod.mesh == stage.trust.mesh and not pod.gateway)
    if name == "istio-ambient":
        victim = next(pod for pod in stage.rack.pods.values() if pod.gateway)
    stage.trust.stuck.add(victim.name)
    outcome = stage.apply(plan)
    assert outcome.word is Word.HELD
    assert {f.check for f in outcome.findings} == {"PKI-CENSUS"}
    assert victim.name in outcome.detail
    assert anchor(1) in stage.trust.told.published
    assert not stage.trust.failed


def test_a_consul_proxy_that_never_fetches_again_holds_before_anything_is_called_done() -> None:
    stage = SCENES["consul"].build()
    plan = stage.plan()
    stage.trust.silent.add("app-1")
    outcome = stage.apply(plan)
    assert outcome.word is Word.HELD
    assert "app-1" in outcome.detail


@pytest.mark.parametrize("name", EVERY)
def test_a_cluster_that_goes_silent_after_a_hand_over_stops_the_run_and_it_is_resumed(name: str) -> None:
    stage = SCENES[name].build()
    journal = MemoryJournal()
    plan = stage.plan()
    tick = stage.trust.tick

    def accident() -> None:
        tick()
        if len([line for line in stage.trust.log if line.startswith("told")]) == 1:
            stage.rack.silent.add("kubernetes")

    stage.rack.each_tick = accident
    outcome = stage.apply(plan, journal)
    assert outcome.word in (Word.HELD, Word.FAILED)
    stage.rack.each_tick = tick
    stage.rack.silent.clear()
    assert resume(stage.world, journal, clock=stage.rack, tempo=TEMPO).word is Word.DONE
    assert stage.trust.new_only(2)
    assert not stage.trust.failed


@pytest.mark.parametrize("name", BY_TWO_STEPS)
@pytest.mark.parametrize("number", [2, 3])
def test_a_signer_whose_secret_is_deleted_is_told_again_once_everybody_was_seen_to_believe_it(
    name: str, number: int
) -> None:
    """Nobody can tell who signs, so the next hand-over is guarded like a switch; then it writes the Secret anew."""
    stage = SCENES[name].build()
    first, rest = before(stage.plan(), HandOver, number)
    assert stage.apply(first).word is Word.DONE
    stage.rack.wait(Event(), 2)
    stage.trust.lost = True
    assert stage.apply(stage.fresh(rest)).word is Word.DONE
    stage.unbroken()
    assert stage.trust.new_only(2)


def dying(monkeypatch: pytest.MonkeyPatch, looks: int) -> None:
    """What signs answers none of the next ``looks``."""
    left = iter(range(looks))
    declared = FakeTrust.declared

    def asked(trust: FakeTrust) -> Declared:
        if next(left, None) is not None:
            raise Unreachable("no server is Ready", where="the mesh")
        return declared(trust)

    monkeypatch.setattr(FakeTrust, "declared", asked)


@pytest.mark.parametrize("name", EVERY)
def test_a_signer_that_dies_as_it_is_told_is_waited_for(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    stage = SCENES[name].build()
    plan = stage.plan()
    dying(monkeypatch, 3)
    outcome = stage.apply(plan)
    assert outcome.word is Word.DONE, outcome.detail
    stage.unbroken()
    assert stage.trust.new_only(2)


@pytest.mark.parametrize("name", EVERY)
def test_one_that_does_not_come_back_holds_the_run_before_it_is_told_anything(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = SCENES[name].build()
    plan = stage.plan()
    told = list(stage.trust.log)
    dying(monkeypatch, 100_000)
    outcome = stage.apply(plan)
    assert outcome.word is Word.HELD, outcome.detail
    assert {(f.check, f.verdict) for f in outcome.findings} == {("PKI-TRUST", Verdict.INCONCLUSIVE)}
    assert [line for line in stage.trust.log if line.startswith("told")] == [
        line for line in told if line.startswith("told")
    ]
