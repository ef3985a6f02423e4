"""A worker that fails is put aside as far as the plan allows, tried again before anything that needs it, never lost."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rollout.engine.journal import Fate, MemoryJournal
from rollout.engine.left import put_aside
from rollout.engine.observe import observe
from rollout.engine.outcome import RunOutcome, Word
from rollout.engine.ports import World
from rollout.engine.run import apply, resume
from rollout.engine.status import describe_run
from rollout.model.event import Event, StepSkipped
from rollout.model.plan import Options, Plan
from rollout.model.step import InstallChart, Step
from rollout.planner.codec import content_id
from rollout.planner.request import asked
from rollout.planner.upgrade import plan_upgrade
from tests.unit.fake_world import TEMPO, FakeRack, running
from tests.unit.sites import site
from tests.unit.test_engine_crash import Crash, CrashingJournal

WORKERS = ("r1n3", "r2n3")


def upgrade_of(live: World, max_fail: int) -> Plan:
    request = asked(live.site, observe(live), live.roles, ("istio", "1.31.1"))
    return plan_upgrade(replace(request, options=Options(max_fail=max_fail)))


def broken(*nodes: str) -> tuple[FakeRack, World]:
    """These nodes never become Ready after they were emptied."""
    rack, live = running(site((2, 2), workers=1))

    def tick() -> None:
        for name in nodes:
            if rack.nodes[name].cordoned:
                rack.nodes[name] = replace(rack.nodes[name], ready=False)

    rack.each_tick = tick
    return rack, live


def mended(rack: FakeRack) -> None:
    rack.each_tick = lambda: None
    for name, node in rack.nodes.items():
        rack.nodes[name] = replace(node, ready=True)


def go(rack: FakeRack, live: World, plan: Plan, journal: MemoryJournal) -> RunOutcome:
    return apply(live, plan, journal, clock=rack, tempo=TEMPO)


def test_a_worker_that_fails_is_put_aside_and_the_others_are_moved() -> None:
    rack, live = broken("r1n3")
    journal = MemoryJournal()
    events: list[Event] = []
    plan = upgrade_of(live, 1)
    ended = apply(live, plan, journal, events.append, clock=rack, tempo=TEMPO)
    assert (ended.word, ended.exit_code, ended.aside) == (Word.FAILED, 1, ("r1n3",))
    assert "put aside after a failure, tried again on resume: r1n3" in ended.detail
    assert ended.left == (f"r1n3 is cordoned, owned by run {ended.run}",)
    assert {p.version for p in rack.pods.values() if p.node != "r1n3"} == {"1.31.1"}
    assert [e.step.key for e in events if isinstance(e, StepSkipped)][:1] == [ended.step]
    assert rack.nodes["r1n3"].owner == ended.run


def test_what_was_put_aside_is_taken_up_again_by_a_resume_and_no_node_is_moved_twice() -> None:
    rack, live = broken("r1n3")
    journal = MemoryJournal()
    ended = go(rack, live, upgrade_of(live, 1), journal)
    evicted = len([line for line in rack.log if line.startswith("evict")])
    mended(rack)
    done = resume(live, journal, clock=rack, tempo=TEMPO)
    assert (done.word, done.aside, done.left) == (Word.DONE, (), ())
    assert done.steps_done == done.steps_total
    assert (rack.marked(), rack.lowest) == ([], 3)
    assert len([line for line in rack.log if line.startswith("evict")]) == evicted
    assert put_aside(journal.load(ended.run).plan, journal.records(ended.run)) == ()


def test_a_node_that_recovers_by_itself_is_taken_up_at_the_end_of_the_same_run() -> None:
    rack, live = broken("r1n3")
    journal = MemoryJournal()

    def heal(event: Event) -> None:
        if isinstance(event, StepSkipped):
            mended(rack)

    ended = apply(live, upgrade_of(live, 1), journal, heal, clock=rack, tempo=TEMPO)
    assert (ended.word, ended.aside, rack.marked()) == (Word.DONE, (), [])


def test_one_more_than_allowed_stops_the_run_at_once() -> None:
    rack, live = broken(*WORKERS)
    ended = go(rack, live, upgrade_of(live, 1), MemoryJournal())
    assert ended.word is Word.FAILED
    assert ended.step is not None
    assert "r2n3" in ended.step
    rack, live = broken(*WORKERS)
    ended = go(rack, live, upgrade_of(live, 0), MemoryJournal())
    assert ended.step is not None
    assert "r1n3" in ended.step


def test_a_gateway_node_is_never_put_aside() -> None:
    rack, live = broken("r1n1")
    ended = go(rack, live, upgrade_of(live, 9), MemoryJournal())
    assert (ended.word, ended.aside) == (Word.FAILED, ())
    assert ended.step is not None
    assert "r1n1" in ended.step
    assert rack.lowest == 3


def test_nothing_that_needs_every_node_starts_while_one_is_aside() -> None:
    rack, live = broken("r1n3")
    plan = upgrade_of(live, 1)
    last = plan.waves[-1]
    chart = InstallChart("istio", "istiod", "istio-system", "istiod", "1.31.1")
    stage = replace(last.stages[-1], name="next hop", steps=(Step("next/istiod", chart),))
    plan = replace(plan, waves=(*plan.waves[:-1], replace(last, stages=(*last.stages, stage))))
    plan = replace(plan, id=content_id(plan))
    ended = go(rack, live, plan, MemoryJournal())
    assert (ended.word, ended.aside) == (Word.FAILED, ("r1n3",))
    assert ended.steps_done < ended.steps_total


def test_status_shows_the_step_that_stopped_and_the_node_put_aside() -> None:
    rack, live = broken("r1n3")
    journal = MemoryJournal()
    ended = go(rack, live, upgrade_of(live, 1), journal)
    seen = describe_run(journal, journal.load(ended.run), None)
    assert (seen.word, seen.aside) == ("failed", ("r1n3",))
    assert seen.current is not None
    assert seen.current.key == ended.step
    assert sum(wave.done for wave in seen.waves) == seen.steps_done < seen.steps_total


def test_a_crash_at_every_boundary_walks_the_same_way_again() -> None:
    rack, live = broken("r1n3")
    whole = CrashingJournal(at=0)
    assert go(rack, live, upgrade_of(live, 1), whole).aside == ("r1n3",)
    for boundary in range(1, whole.boundaries + 1, 5):
        rack, live = broken("r1n3")
        journal = CrashingJournal(boundary)
        with pytest.raises(Crash):
            go(rack, live, upgrade_of(live, 1), journal)
        again = resume(live, journal, clock=rack, tempo=TEMPO)
        assert again.aside == ("r1n3",), f"boundary {boundary}"
        mended(rack)
        assert resume(live, journal, clock=rack, tempo=TEMPO).word is Word.DONE
        assert (rack.marked(), rack.lowest, rack.lost) == ([], 3, 0)
        assert journal.fate(again.run) is Fate.DONE
