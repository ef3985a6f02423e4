"""Every subject's whole plan on the rack in memory (simulated): killed at every boundary, held to N-1, taken back."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from threading import Event
from typing import get_args

import pytest

from rollout.engine.journal import MemoryJournal
from rollout.engine.observe import observe
from rollout.engine.outcome import Word
from rollout.engine.run import apply, resume
from rollout.model.observed import Observed
from rollout.model.plan import Plan
from rollout.model.reboot import Booting
from rollout.model.rekey import Rekey
from rollout.model.step import Effect
from rollout.planner.bringup import plan_bringup
from rollout.planner.refuse import RuleRefused
from rollout.planner.request import asked
from rollout.planner.rollback import plan_rollback
from rollout.planner.upgrade import plan_upgrade
from tests.unit.fake_world import TEMPO, FakeRack, world
from tests.unit.sites import site
from tests.unit.test_engine_crash import Crash, CrashingJournal
from tests.unit.test_golden_subjects import CASES, NAMES, Case

NO_WAY_BACK = {
    "istio-ambient": "AMBIENT-JUMP-01",
    "linkerd": "LINKERD-JUMP-01",
    "consul": "CONSUL-JUMP-01",
    "metallb": "METALLB-JUMP-01",
    "kubernetes": "K8S-JUMP-01",
}
"""Upstream supports none from one line to the one before: the refusal is what an operator must see."""

BY_NAME = {case.name: case for case in CASES}
WITHIN_A_LINE = (
    replace(BY_NAME["istio-ambient"], name="istio-ambient patch", target=("istio", "1.30.4")),
    replace(
        BY_NAME["metallb"], name="metallb patch", target=("metallb", "0.16.1"), running={"metallb": "0.16.0"}
    ),
)
"""Of those, the moves that upstream does take back."""

REKEY = {effect.__name__ for effect in get_args(Rekey)}
BOOTING = {effect.__name__ for effect in get_args(Booting)}
NOT_HERE = {
    "ConfigureHosts",
    "ConfigureSwitch",
    "AwaitPeering",
    "AwaitGateways",
    "NaiveReplace",
    *BOOTING,
    *REKEY,
}
"""A bringup's, which is killed at every boundary below; the negative control's, which is meant to hurt; a reboot's and
a rotation's, which have their own crash tests (test_reboot_runs.py, test_rotate_runs.py)."""


def boundaries(plan: Plan) -> list[int]:
    """Before and after the first and the last step of each kind: a crash finds every effect begun and unrecorded."""
    found: dict[str, list[int]] = {}
    for number, _, _, step in plan.numbered():
        found.setdefault(type(step.effect).__name__, []).append(number)
    steps = {number for numbers in found.values() for number in (numbers[0], numbers[-1])}
    return [boundary for number in sorted(steps) for boundary in (2 * number - 1, 2 * number)]


def versions(found: Observed) -> dict[str, object]:
    """Who runs what, as multisets; charts of CRDs go only forward, and a namespace's own objects do not count."""
    proxies = Counter((p.mesh, p.gateway or "", p.version) for p in found.proxies if not p.terminating)
    agents = Counter((a.subject, a.component, a.version) for a in found.agents if not a.terminating)
    return {"kubernetes": found.kubernetes, "proxies": proxies, "agents": agents}


def kept(rack: FakeRack, case: Case) -> None:
    """Nothing lost, nothing marked, and nothing that is destroyed twice: names of pods are never given again."""
    assert rack.lowest is not None
    assert (rack.lowest >= case.lowest, rack.lost, rack.marked()) == (True, 0, [])
    taken = Counter(line for line in rack.log if line.startswith(("evict", "delete")))
    again = [line for line, count in taken.items() if count > 1]
    assert not again, again


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_a_crash_at_any_boundary_of_any_subjects_plan_ends_where_no_crash_does(case: Case) -> None:
    rack, live = case.scene()
    plan = plan_upgrade(case.request(live))
    assert apply(live, plan, MemoryJournal(), clock=rack, tempo=TEMPO).word is Word.DONE
    goal = versions(observe(live))
    for boundary in boundaries(plan):
        rack, live = case.scene()
        journal = CrashingJournal(boundary)
        with pytest.raises(Crash):
            apply(live, plan, journal, clock=rack, tempo=TEMPO)
        rack.wait(Event(), 2)
        assert resume(world(rack), journal, clock=rack, tempo=TEMPO).word is Word.DONE, f"boundary {boundary}"
        rack.wait(Event(), 2)
        kept(rack, case)
        assert versions(observe(live)) == goal, f"boundary {boundary}"


@pytest.mark.parametrize("case", [BY_NAME[name] for name in NO_WAY_BACK], ids=list(NO_WAY_BACK))
def test_a_way_back_that_upstream_does_not_support_is_refused_by_its_own_rule(case: Case) -> None:
    rack, live = case.scene()
    plan = plan_upgrade(case.request(live))
    assert apply(live, plan, MemoryJournal(), clock=rack, tempo=TEMPO).word is Word.DONE
    with pytest.raises(RuleRefused, match=NO_WAY_BACK[case.name]):
        plan_rollback(asked(live.site, observe(live), live.roles), plan)


BACK = (*(case for case in CASES if case.name not in NO_WAY_BACK), *WITHIN_A_LINE)


@pytest.mark.parametrize("case", BACK, ids=[case.name for case in BACK])
def test_what_can_go_back_is_taken_back_to_what_it_was(case: Case) -> None:
    rack, live = case.scene()
    before = versions(observe(live))
    journal = MemoryJournal()
    plan = plan_upgrade(case.request(live))
    assert apply(live, plan, journal, clock=rack, tempo=TEMPO).word is Word.DONE
    assert versions(observe(live)) != before
    back = plan_rollback(asked(live.site, observe(live), live.roles), plan)
    ended = apply(live, back, journal, clock=rack, tempo=TEMPO)
    assert (ended.word, ended.exit_code, ended.detail) == (Word.DONE, 6, "")
    rack.wait(Event(), 2)
    kept(rack, case)
    assert versions(observe(live)) == before


def test_between_them_the_plans_have_every_effect_there_is() -> None:
    seen = {
        type(step.effect).__name__
        for case in CASES
        for _, _, _, step in plan_upgrade(case.request(case.scene()[1])).numbered()
    }
    assert seen == {effect.__name__ for effect in get_args(Effect)} - NOT_HERE


def test_a_bringup_that_is_killed_at_any_boundary_is_finished_and_every_gateway_serves() -> None:
    small = site((1, 1), workers=1)
    rack = FakeRack(small)
    whole = CrashingJournal(at=0)
    plan = plan_bringup(asked(small, observe(world(rack)), world(rack).roles))
    assert apply(world(rack), plan, whole, clock=rack, tempo=TEMPO).word is Word.DONE
    for boundary in range(1, whole.boundaries + 1):
        rack, journal = FakeRack(small), CrashingJournal(boundary)
        with pytest.raises(Crash):
            apply(world(rack), plan, journal, clock=rack, tempo=TEMPO)
        assert resume(world(rack), journal, clock=rack, tempo=TEMPO).word is Word.DONE, f"boundary {boundary}"
        assert rack.routed(small.gateways[0]) == {"r1n1", "r2n1"}
        installed = [line for line in rack.log if line.startswith("install")]
        assert len(installed) == len(set(installed)), f"boundary {boundary}: a chart was installed twice"
