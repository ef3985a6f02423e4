"""Rotations killed at every journal boundary: resumed from their records, or planned anew from certificates alone."""

from __future__ import annotations

from threading import Event

import pytest

from pki.rotation.phase import Phase
from rollout.engine.abort import abort
from rollout.engine.journal import MemoryJournal
from rollout.engine.outcome import Word
from rollout.engine.run import apply, resume
from rollout.model.plan import Plan
from rollout.model.rekey import AwaitLeaves, AwaitTrust, HandOver, RenewProxies, Signer
from rollout.model.site import Site
from tests.unit.fake_trust import anchor
from tests.unit.fake_world import TEMPO
from tests.unit.test_engine_crash import Crash, CrashingJournal
from tests.unit.trust_scenes import EVERY, SCENES, WITH_ISSUERS, Stage, before, handovers, small


def killed(name: str, boundary: int, site: Site, *, anew: bool) -> Stage:
    """``anew``: the run is aborted and a new plan is made from what is seen; else it is resumed."""
    stage = SCENES[name].build(site)
    journal = CrashingJournal(boundary)
    try:
        assert stage.apply(stage.plan(), journal).word is Word.DONE
    except Crash:
        stage.rack.wait(Event(), 3)
        assert _again(stage, journal, anew=anew) is Word.DONE, f"boundary {boundary}"
    return stage


def _again(stage: Stage, journal: CrashingJournal, *, anew: bool) -> Word:
    if not anew:
        return resume(stage.world, journal, clock=stage.rack, tempo=TEMPO).word
    abort(stage.world, journal, clock=stage.rack, tempo=TEMPO)
    stage.rack.wait(Event(), 3)
    if stage.trust.new_only(2):
        return Word.DONE
    return stage.apply(stage.plan()).word


@pytest.mark.parametrize("anew", [False, True], ids=["resumed", "planned-anew"])
@pytest.mark.parametrize("name", EVERY)
def test_a_rotation_killed_at_every_boundary_cuts_no_handshake(name: str, anew: bool) -> None:
    site = small(SCENES[name])
    stage = SCENES[name].build(site)
    whole = CrashingJournal(at=0)
    assert stage.apply(stage.plan(), whole).word is Word.DONE
    assert whole.boundaries >= 14
    for boundary in range(1, whole.boundaries + 1):
        stage = killed(name, boundary, site, anew=anew)
        stage.unbroken()
        assert stage.trust.new_only(2), f"boundary {boundary}"


@pytest.mark.parametrize("name", WITH_ISSUERS)
@pytest.mark.parametrize(("number", "phase"), [(1, Phase.TRUST), (2, Phase.SWITCH), (3, Phase.UNTRUST)])
def test_a_new_plan_begins_in_the_phase_that_the_certificates_show_and_skips_what_is_done(
    name: str, number: int, phase: Phase
) -> None:
    stage = SCENES[name].build()
    whole = stage.plan()
    assert stage.apply(before(whole, HandOver, number)[0]).word is Word.DONE
    stage.rack.wait(Event(), 2)
    course = stage.course()
    assert (course.before, course.after, course.phase) == (Signer(1, 1), Signer(2, 1), phase)
    again = stage.plan()
    assert _renewals(again) == _renewals(before(whole, HandOver, number)[1])
    assert len(handovers(again)) == (3 if number < 3 else 1)
    assert stage.apply(again).word is Word.DONE
    stage.unbroken()
    assert stage.trust.new_only(2)


def _renewals(plan: Plan) -> int:
    return sum(isinstance(step.effect, RenewProxies) for _, _, _, step in plan.numbered())


@pytest.mark.parametrize("name", WITH_ISSUERS)
def test_in_the_middle_of_a_walk_only_the_nodes_that_lag_are_visited_again(name: str) -> None:
    stage = SCENES[name].build()
    whole = stage.plan()
    steps = [step for _, _, _, step in whole.numbered()]
    second = next(i for i, step in enumerate(steps) if step.key.endswith("drain/verifiers-2"))
    count = sum(isinstance(step.effect, AwaitTrust) for step in steps[: second + 1])
    first, _ = before(whole, AwaitTrust, count)
    assert stage.apply(first).word is Word.DONE
    stage.rack.wait(Event(), 2)
    assert stage.course().phase is Phase.DRAIN
    drained = {
        s.node
        for _, _, _, s in stage.plan().numbered()
        if isinstance(s.effect, RenewProxies) and len(s.effect.trusts) == 2
    }
    lagging = {
        p.node
        for p in stage.trust.sight().parties
        if p.leaf and p.leaf.by == stage.trust.authority(Signer(1, 1))
    }
    assert lagging == drained
    assert 0 < len(drained) < len(stage.rack.site.nodes)
    assert stage.apply(stage.plan()).word is Word.DONE
    stage.unbroken()


def test_a_run_whose_plan_has_nothing_left_to_do_says_so() -> None:
    stage = SCENES["linkerd"].build()
    stage.trust.mint(Signer(2, 1))
    plan = stage.plan(back=True)
    assert plan.steps == 0
    assert apply(stage.world, plan, MemoryJournal(), clock=stage.rack, tempo=TEMPO).detail == "nothing to do"


@pytest.mark.parametrize("name", EVERY)
def test_the_next_rotation_begins_where_the_last_one_ended(name: str) -> None:
    stage = SCENES[name].build()
    for generation in (2, 3):
        assert stage.apply(stage.plan()).word is Word.DONE
        assert stage.trust.new_only(generation)
    stage.unbroken()


@pytest.mark.parametrize("name", WITH_ISSUERS)
@pytest.mark.parametrize("effect", [AwaitLeaves, HandOver])
def test_a_generation_that_was_minted_meanwhile_does_not_turn_a_rotation_aside(
    name: str, effect: type
) -> None:
    stage = SCENES[name].build()
    number = 3 if effect is HandOver else 1
    assert stage.apply(before(stage.plan(), effect, number)[0]).word is Word.DONE
    stage.rack.wait(Event(), 2)
    stage.trust.mint(Signer(3, 1))
    course = stage.course()
    assert (course.before, course.after) == (Signer(1, 1), Signer(2, 1))
    assert stage.apply(stage.plan()).word is Word.DONE
    assert anchor(1) not in stage.trust.told.published
    stage.unbroken()
