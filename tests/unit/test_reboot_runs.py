"""Whole runs that reboot: N-1 holds, no node is rebooted twice however often the process dies, an abort waits too."""

from __future__ import annotations

from threading import Event

import pytest

from rollout.engine.abort import abort
from rollout.engine.journal import MemoryJournal
from rollout.engine.observe import observe
from rollout.engine.outcome import Word
from rollout.engine.ports import CommandOutcome, World
from rollout.engine.run import apply, resume
from rollout.errors import StepFailed
from rollout.model.plan import Options, Plan
from rollout.planner.maintain import plan_maintain
from rollout.planner.request import asked
from rollout.rules.n1 import floor
from tests.unit.fake_boots import TOLD
from tests.unit.fake_world import TEMPO, FakeRack, running, world
from tests.unit.sites import site
from tests.unit.test_engine_crash import Crash, CrashingJournal

NODE = "r1n1"
FOREVER = float("inf")


def reboots(rack: FakeRack) -> int:
    return len(rack.boots.reboots[NODE])


def plan_of(live: World, limit: str = "") -> Plan:
    found = asked(live.site, observe(live), live.roles, options=Options(limit=limit))
    return plan_maintain(found, (), reboot=True)


def small() -> tuple[FakeRack, World]:
    return running(site((1, 1), feeds=1, workers=1))


def require_clean(rack: FakeRack) -> None:
    assert {node: len(times) for node, times in rack.boots.reboots.items()} == dict.fromkeys(rack.nodes, 1)
    assert rack.lowest is not None
    assert rack.lowest >= floor(len(rack.site.gateway_nodes))
    assert (rack.lost, rack.marked()) == (0, [])


def test_every_node_is_rebooted_once_and_n_minus_1_holds_all_the_while() -> None:
    rack, live = running(site())
    assert apply(live, plan_of(live), MemoryJournal(), clock=rack, tempo=TEMPO).word is Word.DONE
    require_clean(rack)


def finished(rack: FakeRack, journal: MemoryJournal) -> Word:
    live = world(rack)
    try:
        return apply(live, plan_of(live), journal, clock=rack, tempo=TEMPO).word
    except Crash:
        rack.each_tick = lambda: None
        rack.wait(Event(), 0.2)
    return resume(world(rack), journal, clock=rack, tempo=TEMPO).word


def test_a_crash_at_every_single_boundary_reboots_no_node_twice() -> None:
    rack, _ = small()
    whole = CrashingJournal(at=0)
    assert finished(rack, whole) is Word.DONE
    for boundary in range(1, whole.boundaries + 1):
        rack, _ = small()
        assert finished(rack, CrashingJournal(boundary)) is Word.DONE, f"boundary {boundary}"
        require_clean(rack)


@pytest.mark.parametrize("later", [0.1, 0.4, 0.7, 1.5, 3.1, 4.5, 5.9])
def test_a_crash_in_the_middle_of_a_reboot_is_survived_with_one_reboot(later: float) -> None:
    rack, _ = small()

    def die() -> None:
        if any(rack.time >= at + later for times in rack.boots.reboots.values() for at in times):
            raise Crash

    rack.each_tick = die
    assert finished(rack, MemoryJournal()) is Word.DONE
    require_clean(rack)


def stopped_in_the_reboot(rack: FakeRack, live: World) -> MemoryJournal:
    journal, stop = MemoryJournal(), Event()

    def halt() -> None:
        if reboots(rack) or NODE in rack.boots.refusals:
            stop.set()

    rack.each_tick = halt
    ended = apply(live, plan_of(live, NODE), journal, stop=stop, clock=rack, tempo=TEMPO)
    assert any("perhaps in the middle of a reboot" in line for line in ended.left)
    rack.each_tick = lambda: None
    return journal


def test_an_abort_in_the_middle_of_a_reboot_gives_the_node_back_in_its_new_boot() -> None:
    rack, live = running(site())
    journal = stopped_in_the_reboot(rack, live)
    done = abort(live, journal, clock=rack, tempo=TEMPO)
    assert (done.back, reboots(rack), rack.marked()) == ((NODE,), 1, [])
    assert rack.time >= rack.boots.reboots[NODE][0] + TOLD
    rack.wait(Event(), 1)
    assert (len(rack.routed(rack.site.gateways[0])), rack.lost) == (len(rack.site.gateway_nodes), 0)


def test_an_abort_does_not_wait_for_a_reboot_that_was_refused() -> None:
    rack, live = running(site())
    rack.boots.refusals[NODE] = CommandOutcome(1, "Access denied")
    ended = apply(live, plan_of(live, NODE), journal := MemoryJournal(), clock=rack, tempo=TEMPO)
    assert "Access denied" in ended.detail
    assert abort(live, journal, clock=rack, tempo=TEMPO).back == (NODE,)
    assert (reboots(rack), rack.marked()) == (0, [])


def test_an_abort_fails_in_words_for_a_node_that_does_not_come_back() -> None:
    rack, live = running(site())
    journal = stopped_in_the_reboot(rack, live)
    rack.boots.told_after = FOREVER
    with pytest.raises(StepFailed, match=f"{NODE} back from its reboot: not within"):
        abort(live, journal, clock=rack, tempo=TEMPO)
    assert NODE in rack.marked()
