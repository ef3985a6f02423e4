"""Hold, abort, and which run a rollback takes back: what is ours goes back, what is not stays, nothing twice."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from threading import Event

import pytest

from rollout.engine.abort import Aborted, abort, write_off
from rollout.engine.hold import hold
from rollout.engine.journal import Fate, MemoryJournal
from rollout.engine.lock import Holder
from rollout.engine.observe import observe
from rollout.engine.outcome import RunOutcome, Word
from rollout.engine.ports import World
from rollout.engine.rollback import to_undo
from rollout.engine.run import apply, resume
from rollout.engine.status import describe_run
from rollout.errors import LockHeld, PlanRefused, StepFailed
from rollout.model.plan import Plan, PlanKind
from rollout.planner.codec import content_id
from rollout.planner.request import asked
from rollout.planner.upgrade import plan_upgrade
from tests.unit.fake_world import TEMPO, FakeRack, running
from tests.unit.sites import site
from tests.unit.test_engine_crash import Crash, CrashingJournal


class OwnedJournal(MemoryJournal):
    """Says who holds it; ``alive`` plays another process that has not ended."""

    def __init__(self) -> None:
        super().__init__()
        self.alive = ""

    def holder(self) -> Holder | None:
        return Holder(7, "here", self.alive, "now") if self.alive else None

    @contextmanager
    def owned(self, run: str) -> Iterator[None]:
        del run
        if self.alive:
            raise LockHeld(f"run {self.alive} moves this site", hint="wait for it")
        yield


def upgrade_of(live: World) -> Plan:
    return plan_upgrade(asked(live.site, observe(live), live.roles, ("istio", "1.31.1")))


def stopped_at(word: str) -> tuple[FakeRack, World, OwnedJournal, RunOutcome]:
    """A run that was interrupted right after the rack's log first says ``word``."""
    rack, live = running(site())
    journal, stop = OwnedJournal(), Event()

    def tick() -> None:
        if any(word in line for line in rack.log):
            stop.set()

    rack.each_tick = tick
    ended = apply(live, upgrade_of(live), journal, stop=stop, clock=rack, tempo=TEMPO)
    rack.each_tick = lambda: None
    assert ended.word is Word.INTERRUPTED
    return rack, live, journal, ended


def end(rack: FakeRack, live: World, journal: MemoryJournal, **more: object) -> Aborted:
    return abort(live, journal, clock=rack, tempo=TEMPO, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("word", ["drain r1n1", "mark r1n1 excluded", "mark r1n1 cordoned", "evict ingress"])
def test_an_abort_puts_back_whatever_the_transaction_had_taken(word: str) -> None:
    rack, live, journal, ended = stopped_at(word)
    done = end(rack, live, journal)
    assert done.back == ("r1n1",)
    assert journal.fate(ended.run) is Fate.ABORTED
    assert rack.marked() == []
    assert not any(pod.failing for pod in rack.pods.values())
    rack.wait(Event(), 1)
    assert len(rack.routed(rack.site.gateways[0])) == 4
    assert rack.lowest is not None
    assert (rack.lowest >= 3, rack.lost) == (True, 0)


def test_an_abort_says_what_stays_changed() -> None:
    rack, live, journal, _ = stopped_at("evict ingress")
    stays = end(rack, live, journal).stays
    assert "install istio-system/istiod from chart istiod 1.31.1" in " ".join(stays)


def test_a_second_abort_finds_nothing_to_do_and_says_the_same() -> None:
    rack, live, journal, _ = stopped_at("mark r1n1 cordoned")
    first = end(rack, live, journal)
    log = list(rack.log)
    second = end(rack, live, journal)
    assert (second.run, second.back, second.stays) == (first.run, (), first.stays)
    assert rack.log == log


def test_foreign_marks_survive_an_abort() -> None:
    rack, live, journal, _ = stopped_at("mark r1n1 cordoned")
    rack.nodes["r2n2"] = replace(rack.nodes["r2n2"], cordoned=True)
    rack.nodes["r2n1"] = replace(rack.nodes["r2n1"], cordoned=True, owner="run-0")
    end(rack, live, journal)
    assert (rack.nodes["r2n2"].cordoned, rack.nodes["r2n1"].owner) == (True, "run-0")


def test_a_run_whose_process_lives_is_not_aborted_but_told_to_be_held() -> None:
    rack, live, journal, ended = stopped_at("drain r1n1")
    journal.alive = ended.run
    with pytest.raises(LockHeld) as caught:
        end(rack, live, journal)
    assert "`rackroll hold` it first" in caught.value.hint
    assert journal.fate(ended.run) is Fate.UNFINISHED


def test_a_node_that_cannot_be_put_back_leaves_the_run_abortable_or_is_left_by_name() -> None:
    rack, live, journal, ended = stopped_at("mark r1n1 cordoned")
    rack.nodes["r1n1"] = replace(rack.nodes["r1n1"], ready=False)
    with pytest.raises(StepFailed, match=r"1 of 1 nodes could not be put back: r1n1: .*NotReady"):
        end(rack, live, journal)
    assert journal.fate(ended.run) is Fate.UNFINISHED
    assert end(rack, live, journal, leave=("r1n1",)).back == ()
    assert (journal.fate(ended.run), rack.nodes["r1n1"].owner) == (Fate.ABORTED, ended.run)


def test_an_abort_that_is_killed_anywhere_can_be_done_again() -> None:
    for cut in (0.0, 0.3, 0.6, 0.8):
        rack, live, journal, ended = stopped_at("evict ingress")
        end_at = rack.time + cut

        def tick(rack: FakeRack = rack, end_at: float = end_at) -> None:
            if rack.time >= end_at:
                raise Crash

        rack.each_tick = tick
        with pytest.raises(Crash):
            end(rack, live, journal)
        assert journal.fate(ended.run) is Fate.UNFINISHED
        rack.each_tick = lambda: None
        end(rack, live, journal)
        assert (journal.fate(ended.run), rack.marked()) == (Fate.ABORTED, [])


def test_an_abort_after_a_crash_at_any_boundary_leaves_no_mark_and_no_drained_gateway() -> None:
    rack, live = running(site((2,), workers=1))
    whole = CrashingJournal(at=0)
    apply(live, upgrade_of(live), whole, clock=rack, tempo=TEMPO)
    for boundary in range(1, whole.boundaries + 1, 3):
        rack, live = running(site((2,), workers=1))
        journal = CrashingJournal(boundary)
        with pytest.raises(Crash):
            apply(live, upgrade_of(live), journal, clock=rack, tempo=TEMPO)
        rack.wait(Event(), 1)
        end(rack, live, journal)
        assert rack.marked() == [], f"boundary {boundary}"
        assert not any(pod.failing for pod in rack.pods.values()), f"boundary {boundary}"
        assert (rack.lowest in (1, 2), rack.lost) == (True, 0), f"boundary {boundary}"


def test_there_is_nothing_to_abort_on_a_fresh_site_or_after_a_finished_run() -> None:
    rack, live = running(site())
    journal = MemoryJournal()
    with pytest.raises(PlanRefused, match="RUN-UNKNOWN-01: no run is recorded"):
        end(rack, live, journal)
    apply(live, upgrade_of(live), journal, clock=rack, tempo=TEMPO)
    with pytest.raises(PlanRefused, match=r"RUN-UNKNOWN-01: the newest run .* is done"):
        end(rack, live, journal)


def test_a_hold_stops_the_run_held_and_says_who_and_why_until_it_goes_on() -> None:
    rack, live = running(site())
    journal = OwnedJournal()

    def tick() -> None:
        if "drain r1n1" in rack.log:
            journal.alive = journal.runs()[-1].id
            hold(journal, "eve@desk: a storm is coming")
            journal.alive = ""
            rack.each_tick = lambda: None

    rack.each_tick = tick
    ended = apply(live, upgrade_of(live), journal, clock=rack, tempo=TEMPO)
    assert (ended.word, ended.exit_code) == (Word.HELD, 5)
    assert "held by hand: eve@desk: a storm is coming" in ended.detail
    seen = describe_run(journal, journal.load(ended.run), None)
    assert (seen.word, seen.hold) == ("held", "eve@desk: a storm is coming")
    assert resume(live, journal, clock=rack, tempo=TEMPO).word is Word.DONE
    assert describe_run(journal, journal.load(ended.run), None).hold == ""


def test_a_hold_where_nothing_runs_is_refused() -> None:
    rack, live, journal, ended = stopped_at("drain r1n1")
    with pytest.raises(PlanRefused, match="RUN-HOLD-01: no process moves this site"):
        hold(journal, "why")
    journal.alive = "abort"
    with pytest.raises(PlanRefused, match="RUN-HOLD-01: process 7 on here works at abort"):
        hold(journal, "why")
    assert journal.hold_asked(ended.run) is None
    assert rack.nodes["r1n1"].owner is None
    assert live.site.name == "small"


def test_the_newest_run_is_the_one_that_is_taken_back_once() -> None:
    rack, live, journal, first = stopped_at("drain r1n1")
    assert to_undo(journal).id == first.run
    end(rack, live, journal)
    assert to_undo(journal).id == first.run
    back = _way_back(live)
    done = apply(live, back, journal, clock=rack, tempo=TEMPO)
    assert (done.word, done.exit_code, done.undoes) == (Word.DONE, 6, first.run)
    assert journal.fate(first.run) is Fate.ROLLED_BACK
    assert describe_run(journal, journal.load(first.run), None).undone_by == done.run
    assert describe_run(journal, journal.load(done.run), None).undoes == first.run
    with pytest.raises(PlanRefused, match=f"RUN-ROLLBACK-01: run {first.run} is rolled back already"):
        to_undo(journal)


def test_a_rollback_that_stopped_is_resumed_not_rolled_back() -> None:
    rack, live, journal, first = stopped_at("drain r1n1")
    end(rack, live, journal)
    stop = Event()
    stop.set()
    cut = apply(live, _way_back(live), journal, stop=stop, clock=rack, tempo=TEMPO)
    assert cut.word is Word.INTERRUPTED
    with pytest.raises(PlanRefused, match=r"RUN-ROLLBACK-01: .* is not finished"):
        to_undo(journal)
    done = resume(live, journal, clock=rack, tempo=TEMPO)
    assert (done.exit_code, done.undoes) == (6, first.run)
    assert to_undo_refused(journal)


def to_undo_refused(journal: MemoryJournal) -> bool:
    with pytest.raises(PlanRefused):
        to_undo(journal)
    return True


def _way_back(live: World) -> Plan:
    """Any plan of that kind: what it moves is the planner's business."""
    plan = replace(upgrade_of(live), kind=PlanKind.ROLLBACK)
    return replace(plan, id=content_id(plan))


def test_the_run_of_a_lab_that_is_gone_is_written_off_without_asking_anybody() -> None:
    rack, _, journal, ended = stopped_at("evict")
    log = list(rack.log)
    assert write_off(journal) == ended.run
    assert journal.fate(ended.run) is Fate.ABORTED
    assert rack.log == log
    assert write_off(journal) is None, "only what is unfinished is ended"


def test_a_run_whose_process_lives_is_not_written_off() -> None:
    *_, journal, ended = stopped_at("evict")
    journal.alive = ended.run
    with pytest.raises(LockHeld):
        write_off(journal)
    assert journal.fate(ended.run) is Fate.UNFINISHED
