"""A run on the rack in memory: what it does, what holds it, what it leaves behind."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from threading import Event

import pytest

from rollout.engine.abort import abort
from rollout.engine.journal import MemoryJournal
from rollout.engine.observe import observe
from rollout.engine.outcome import RunOutcome, Word
from rollout.engine.ports import World
from rollout.engine.run import apply, resume
from rollout.errors import PlanRefused, Unreachable
from rollout.model.event import Event as RunEvent
from rollout.model.event import RunFinished, StepFinished, StepHeld, StepStarted
from rollout.model.plan import Plan
from rollout.planner.bringup import plan_bringup
from rollout.planner.naive import plan_naive_upgrade
from rollout.planner.refuse import RuleRefused
from rollout.planner.request import asked
from rollout.planner.upgrade import plan_upgrade
from tests.unit.fake_world import TEMPO, FakeRack, running, world
from tests.unit.sites import site


def upgrade_of(live: World, version: str = "1.31.1") -> Plan:
    return plan_upgrade(asked(live.site, observe(live), live.roles, ("istio", version)))


def go(rack: FakeRack, live: World, plan: Plan, journal: MemoryJournal | None = None) -> RunOutcome:
    return apply(live, plan, journal or MemoryJournal(), clock=rack, tempo=TEMPO)


def again(rack: FakeRack, live: World, journal: MemoryJournal) -> RunOutcome:
    return resume(live, journal, clock=rack, tempo=TEMPO)


def test_bringup_ends_with_every_gateway_in_its_tor_and_a_second_one_changes_nothing() -> None:
    rack = FakeRack(site())
    live = world(rack)
    first = go(rack, live, plan_bringup(asked(rack.site, observe(live), live.roles)))
    assert (first.word, first.exit_code) == (Word.DONE, 0)
    assert dict(first.counts) == {"hosts.changed": 6, "hosts.unchanged": 0, "tor.lines_applied": 2}
    assert rack.routed(rack.site.gateways[0]) == {"r1n1", "r1n2", "r2n1", "r2n2"}
    second = go(rack, live, plan_bringup(asked(rack.site, observe(live), live.roles)))
    assert dict(second.counts) == {"hosts.changed": 0, "hosts.unchanged": 6, "tor.lines_applied": 0}


def test_an_upgrade_loses_nothing_keeps_n_minus_1_and_leaves_no_mark() -> None:
    rack, live = running(site())
    outcome = go(rack, live, upgrade_of(live))
    assert outcome.word is Word.DONE
    assert outcome.detail == ""
    assert {pod.version for pod in rack.pods.values()} == {"1.31.1"}
    assert (rack.lowest, rack.lost, rack.marked()) == (3, 0, [])


def test_the_naive_upgrade_empties_the_vip_and_loses_requests() -> None:
    rack, live = running(site())
    rack.each_tick = lambda: [live.probe.fetch(g, 4) for g in rack.site.gateways] and None
    plan = plan_naive_upgrade(asked(rack.site, observe(live), live.roles, ("istio", "1.31.1")))
    outcome = apply(live, plan, MemoryJournal(), clock=rack, tempo=TEMPO, negative_control=True)
    assert outcome.word is Word.DONE
    assert rack.lowest == 0
    assert rack.lost > 0


def test_a_negative_control_is_refused_unless_it_is_said_to_be_meant() -> None:
    rack, live = running(site())
    plan = plan_naive_upgrade(asked(rack.site, observe(live), live.roles, ("istio", "1.31.1")))
    with pytest.raises(RuleRefused, match="PLAN-NEGATIVE-01"):
        go(rack, live, plan)
    assert not any(line.startswith("evict") for line in rack.log)


def test_a_stale_plan_is_refused_before_anything_moves() -> None:
    rack, live = running(site())
    plan = upgrade_of(live)
    rack.start("r1n3", None)
    rack.pods[f"app-{rack.serial}"].version = "1.30.4"
    with pytest.raises(RuleRefused, match="PLAN-STALE-01"):
        go(rack, live, plan)
    assert rack.log == []


def test_a_plan_of_another_site_or_an_older_site_file_is_refused() -> None:
    rack, live = running(site())
    plan = upgrade_of(live)
    longer = replace(rack.site.pacing, soak=timedelta(seconds=9))
    with pytest.raises(RuleRefused, match="PLAN-SITE-01: the site file hashed"):
        go(rack, replace(live, site=replace(rack.site, pacing=longer)), plan)
    with pytest.raises(RuleRefused, match="PLAN-SITE-01: the plan is for site small"):
        go(rack, replace(live, site=replace(rack.site, name="other")), plan)


def test_an_empty_plan_is_done_at_once_and_records_no_run() -> None:
    rack, live = running(site(), "1.31.1")
    journal = MemoryJournal()
    outcome = go(rack, live, upgrade_of(live), journal)
    assert (outcome.word, outcome.detail, journal.runs()) == (Word.DONE, "nothing to do", ())


def test_a_silent_tor_makes_observing_fail_rather_than_look_empty() -> None:
    rack, live = running(site())
    rack.silent.add("tor-r2")
    with pytest.raises(Unreachable):
        observe(live)


def fail_gateway_once(rack: FakeRack, after: str, victim: str) -> None:
    """When the log says ``after``, another gateway loses its route: an accident in the middle of a run."""

    def tick() -> None:
        if after in rack.log:
            rack.nodes[victim] = replace(rack.nodes[victim], excluded=True)
            rack.each_tick = lambda: None

    rack.each_tick = tick


def test_a_closed_gate_holds_the_run_and_a_resume_finishes_it() -> None:
    rack, live = running(site())
    journal = MemoryJournal()
    fail_gateway_once(rack, "drain r1n1", "r2n2")
    events: list[RunEvent] = []
    held = apply(live, upgrade_of(live), journal, events.append, clock=rack, tempo=TEMPO)
    assert (held.word, held.exit_code) == (Word.HELD, 5)
    assert held.step == "istio/r1n1/withdraw"
    assert {finding.check for finding in held.findings} == {"GW-N1-WITHOUT"}
    assert "2 of 4 gateways serve, 3 must" in held.detail
    assert "r1n1 is drained" in held.left[0]
    assert held.run in held.left[0]
    assert any(isinstance(event, StepHeld) for event in events)
    assert not any(line.startswith("evict") for line in rack.log)
    rack.nodes["r2n2"] = replace(rack.nodes["r2n2"], excluded=False)
    rack.wait(Event(), 1)
    done = again(rack, live, journal)
    assert done.word is Word.DONE
    assert rack.marked() == []


def test_a_silent_tor_in_the_middle_holds_as_inconclusive() -> None:
    rack, live = running(site())
    journal = MemoryJournal()

    def tick() -> None:
        if "drain r1n1" in rack.log:
            rack.silent.add("tor-r2")

    rack.each_tick = tick
    held = go(rack, live, upgrade_of(live), journal)
    assert held.word is Word.HELD
    assert held.findings[0].verdict == "inconclusive"
    assert "tor-r2" in held.detail
    rack.each_tick = lambda: None
    rack.silent.clear()
    assert again(rack, live, journal).word is Word.DONE


def test_a_gate_forgives_one_lost_sample_but_not_a_lasting_one() -> None:
    rack, live = running(site())
    rack.silent.add("probe")
    plan = upgrade_of(live)

    def back() -> None:
        rack.silent.discard("probe")

    rack.each_tick = back
    assert go(rack, live, plan).word is Word.DONE
    rack, live = running(site())
    rack.silent.add("probe")
    assert go(rack, live, upgrade_of(live)).word is Word.HELD


def test_a_foreign_cordon_holds_before_the_node_is_touched() -> None:
    rack, live = running(site())
    plan = upgrade_of(live)

    def tick() -> None:
        if "install ingress-1 1.31.1" in rack.log or rack.time > 6:
            rack.nodes["r1n2"] = replace(rack.nodes["r1n2"], cordoned=True)
            rack.each_tick = lambda: None

    rack.each_tick = tick
    journal = MemoryJournal()
    held = go(rack, live, plan, journal)
    assert (held.word, held.step) == (Word.HELD, "istio/r1n2/drain")
    assert held.findings[0].check == "NODE-FREE"
    assert rack.nodes["r1n2"].cordoned, "what is not ours stays"
    rack.nodes["r1n2"] = replace(rack.nodes["r1n2"], cordoned=False)
    assert again(rack, live, journal).word is Word.DONE


def test_a_budget_that_says_not_yet_is_waited_for() -> None:
    rack, live = running(site())
    rack.refuse_evictions = 5
    assert go(rack, live, upgrade_of(live)).word is Word.DONE


def test_a_budget_that_never_gives_way_fails_the_step_and_says_what_is_half_done() -> None:
    rack, live = running(site())
    journal = MemoryJournal()
    rack.refuse_evictions = 10**6
    failed = go(rack, live, upgrade_of(live), journal)
    assert (failed.word, failed.exit_code, failed.step) == (Word.FAILED, 1, "istio/r1n1/evict")
    assert "not within 60 s" in failed.detail
    assert "ingress-1-" in failed.detail
    assert failed.left == (f"r1n1 is drained and withdrawn and cordoned, owned by run {failed.run}",)
    assert rack.nodes["r1n1"].owner == failed.run
    assert rack.nodes["r1n1"].cordoned, "not uncordoned blindly"
    rack.refuse_evictions = 0
    assert again(rack, live, journal).word is Word.DONE
    assert (rack.lowest, rack.marked()) == (3, [])


def test_an_interrupt_stops_inside_a_wait_and_resumes() -> None:
    rack, live = running(site())
    journal, stop = MemoryJournal(), Event()

    def tick() -> None:
        if "drain r2n1" in rack.log:
            stop.set()

    rack.each_tick = tick
    stopped = apply(live, upgrade_of(live), journal, stop=stop, clock=rack, tempo=TEMPO)
    assert (stopped.word, stopped.exit_code, stopped.step) == (Word.INTERRUPTED, 130, "istio/r2n1/drain")
    rack.each_tick = lambda: None
    assert again(rack, live, journal).word is Word.DONE
    assert (rack.lowest, rack.lost, rack.marked()) == (3, 0, [])


def test_a_bug_ends_the_run_resumable_with_its_trace_in_the_journal() -> None:
    rack, live = running(site())
    journal = MemoryJournal()
    rack.each_tick = lambda: rack.pods["missing"]
    failed = go(rack, live, upgrade_of(live), journal)
    assert failed.word is Word.FAILED
    assert "a bug in rackroll: KeyError" in failed.detail
    assert "Traceback" in journal.records(failed.run)[-1].outcome.trace
    rack.each_tick = lambda: None
    assert again(rack, live, journal).word is Word.DONE


def test_a_second_apply_is_refused_while_a_run_is_unfinished_and_allowed_once_it_is_aborted() -> None:
    rack, live = running(site())
    journal = MemoryJournal()
    rack.silent.add("probe")
    plan = upgrade_of(live)
    assert go(rack, live, plan, journal).word is Word.HELD
    with pytest.raises(RuleRefused, match="RUN-UNFINISHED-01"):
        go(rack, live, plan, journal)
    rack.silent.clear()
    gone = abort(live, journal, clock=rack, tempo=TEMPO)
    done = go(rack, live, upgrade_of(live), journal)
    assert done.word is Word.DONE
    assert done.run != gone.run


def test_there_is_nothing_to_resume_on_a_fresh_site() -> None:
    rack, live = running(site())
    with pytest.raises(PlanRefused, match="RUN-UNKNOWN-01"):
        again(rack, live, MemoryJournal())


def test_events_tell_each_step_once_and_the_end() -> None:
    rack, live = running(site())
    events: list[RunEvent] = []
    plan = upgrade_of(live)
    apply(live, plan, MemoryJournal(), events.append, clock=rack, tempo=TEMPO)
    started = [event.number for event in events if isinstance(event, StepStarted)]
    finished = [event.number for event in events if isinstance(event, StepFinished)]
    assert started == finished == list(range(1, plan.steps + 1))
    assert isinstance(events[-1], RunFinished)
    assert events[-1].outcome == "done"


def test_a_watcher_that_breaks_does_not_break_the_run() -> None:
    rack, live = running(site())

    def broken(event: RunEvent) -> None:
        raise BrokenPipeError(event)

    assert apply(live, upgrade_of(live), MemoryJournal(), broken, clock=rack, tempo=TEMPO).word is Word.DONE
