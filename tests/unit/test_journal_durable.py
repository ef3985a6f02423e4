"""The journal on DBOS, on SQLite and on Postgres: killed for real, resumed by another process, read while it runs."""

from __future__ import annotations

import json
import os
import pickle
import signal
import time
from collections import Counter
from pathlib import Path
from threading import Event

import pytest

from rollout.engine import durable
from rollout.engine.durable import DurableJournal
from rollout.engine.journal import Fate, RunRecord
from rollout.engine.lock import holder, site_lock
from rollout.engine.observe import observe
from rollout.engine.outcome import StepOutcome, Word, from_json, to_json
from rollout.engine.run import apply, resume
from rollout.engine.status import newest
from rollout.errors import LockHeld, PlanRefused
from rollout.model.gate import Finding, Verdict
from rollout.model.plan import Plan
from rollout.planner.request import asked
from rollout.planner.upgrade import plan_upgrade
from tests.unit.fake_world import TEMPO, running
from tests.unit.kept_journal import Kept
from tests.unit.sites import site


def small_plan() -> Plan:
    small = site((1, 1), feeds=1, workers=0)
    _, live = running(small)
    return plan_upgrade(asked(small, observe(live), live.roles, ("istio", "1.31.1")))


STEPS = small_plan().steps
DRAIN = "istio/r1n1/drain"


def after(key: str) -> int:
    """The boundary right after the step's effect and before it was written down: two boundaries to each step."""
    return next(2 * number for number, _, _, step in small_plan().numbered() if step.key == key)


@pytest.mark.parametrize(
    "boundary",
    [1, after("istio/r1n1/withdraw"), after("istio/r1n1/evict"), after("istio/r1n1/advertise")],
    ids=["before anything", "withdrawn", "evicted", "advertised"],
)
def test_kill_9_then_resume_finishes_loses_nothing_and_repeats_nothing(kept: Kept, boundary: int) -> None:
    killed = kept.child("apply", boundary)
    assert killed.returncode == -9, killed.stderr
    before = kept.status()
    assert before is not None
    assert (before.word, before.steps_done) == ("stopped", (boundary - 1) // 2)
    resumed = kept.child("resume", 0)
    assert resumed.stderr == "", "nothing of the journal's own talk reaches the terminal"
    assert resumed.stdout.split()[:5] == ["done", str(STEPS), str(STEPS), "1", "0"], resumed.stdout
    rack = pickle.loads((kept.folder / "rack.pickle").read_bytes())  # noqa: S301 - written by our own child
    assert rack.marked() == []
    evicted = Counter(line for line in rack.log if line.startswith("evict"))
    assert len(evicted) == 4, "two gateways and two sidecars"
    assert set(evicted.values()) == {1}
    after = kept.status()
    assert after is not None
    assert (after.word, after.current, after.left) == ("done", None, ())


def test_two_kills_in_one_run_are_survived(kept: Kept) -> None:
    assert kept.child("apply", 17).returncode == -9
    assert kept.child("resume", 9).returncode == -9
    assert kept.child("resume", 0).stdout.startswith(f"done {STEPS} {STEPS} 1 0 []")


def test_a_held_run_stays_resumable_through_its_process_and_is_tried_afresh(kept: Kept) -> None:
    rack, live = running(site((1, 1), feeds=1, workers=0, folder=kept.folder))
    journal = kept.open()
    rack.silent.add("probe")
    plan = plan_upgrade(asked(rack.site, observe(live), live.roles, ("istio", "1.31.1")))
    held = apply(live, plan, journal, clock=rack, tempo=TEMPO)
    assert (held.word, held.exit_code) == (Word.HELD, 5)
    seen = kept.status()
    assert seen is not None
    assert (seen.word, seen.steps_done, seen.holder) == ("held", 1, None), "the snapshot is done"
    assert "GW-N1-NOW" in seen.detail
    assert resume(live, kept.open(), clock=rack, tempo=TEMPO).word is Word.HELD
    rack.silent.clear()
    done = resume(live, kept.open(), clock=rack, tempo=TEMPO)
    assert (done.word, done.steps_done, rack.lowest, rack.marked()) == (Word.DONE, STEPS, 1, [])
    with pytest.raises(PlanRefused, match="RUN-UNKNOWN-01"):
        resume(live, kept.open(), clock=rack, tempo=TEMPO)


def test_an_interrupted_run_is_resumable(kept: Kept) -> None:
    rack, live = running(site((1, 1), feeds=1, workers=0, folder=kept.folder))
    stop = Event()
    rack.each_tick = lambda: stop.set() if "drain r2n1" in rack.log else None
    plan = plan_upgrade(asked(rack.site, observe(live), live.roles, ("istio", "1.31.1")))
    stopped = apply(live, plan, kept.open(), stop=stop, clock=rack, tempo=TEMPO)
    assert (stopped.word, stopped.step) == (Word.INTERRUPTED, "istio/r2n1/drain")
    rack.each_tick = lambda: None
    done = resume(live, kept.open(), clock=rack, tempo=TEMPO)
    assert (done.word, rack.lost, rack.marked()) == (Word.DONE, 0, [])


def test_a_live_run_is_readable_from_outside_and_stops_promptly_on_ctrl_c(kept: Kept) -> None:
    process = kept.started_slowly()
    seen = kept.reached(DRAIN)
    assert seen.current is not None
    assert (seen.word, seen.current.key) == ("running", "istio/r1n1/drain")
    assert seen.holder is not None
    assert (seen.holder.pid, seen.holder.run) == (process.pid, seen.run)
    with pytest.raises(LockHeld, match=str(process.pid)), kept.open().owned("other"):
        pass
    asked = time.monotonic()
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=20)
    assert (process.returncode, errors) == (130, ""), output
    assert time.monotonic() - asked < 20.0, "in the middle of a wait of 30 s"
    stopped = kept.status()
    assert stopped is not None
    assert (stopped.word, stopped.left) == ("interrupted", (f"r1n1 is drained, owned by run {stopped.run}",))
    assert kept.child("resume", 0).stdout.startswith(f"done {STEPS} {STEPS} 1 0 []")


def test_a_run_that_died_before_its_first_step_is_begun_by_resume(kept: Kept) -> None:
    rack, live = running(site((1, 1), feeds=1, workers=0, folder=kept.folder))
    plan = plan_upgrade(asked(rack.site, observe(live), live.roles, ("istio", "1.31.1")))
    kept.open().add(RunRecord("early-1", plan, "2026-01-01T00:00:00"))
    done = resume(live, kept.open(), clock=rack, tempo=TEMPO)
    assert (done.word, done.run, done.steps_done) == (Word.DONE, "early-1", STEPS)


def test_a_hold_asked_for_from_outside_stops_the_run_and_the_next_resume_forgets_it(kept: Kept) -> None:
    process = kept.started_slowly()
    seen = kept.reached(DRAIN)
    kept.open().hold(seen.run, "the ToR is being looked at")
    output, errors = process.communicate(timeout=20)
    assert (process.returncode, errors) == (5, ""), output
    assert output.startswith("held")
    assert kept.open().hold_asked(seen.run) == "the ToR is being looked at"
    assert kept.child("resume", 0).stdout.startswith(f"done {STEPS} {STEPS} 1 0 []")
    assert kept.open().hold_asked(seen.run) is None


def test_a_run_is_rolled_back_once_the_run_that_undoes_it_is_done(kept: Kept) -> None:
    rack, live = running(site((1, 1), feeds=1, workers=0, folder=kept.folder))
    journal = kept.open()
    plan = plan_upgrade(asked(rack.site, observe(live), live.roles, ("istio", "1.31.1")))
    done = apply(live, plan, journal, clock=rack, tempo=TEMPO)
    journal.add(RunRecord("back-1", plan, "2100-01-01T00:00:00", undoes=done.run))
    assert [entry.undoes for entry in journal.runs()] == ["", done.run]
    assert journal.fate(done.run) is Fate.DONE
    journal.drive("back-1", lambda _: None, Event())
    assert journal.fate(done.run) is Fate.ROLLED_BACK


def test_an_aborted_run_is_over(kept: Kept) -> None:
    rack, live = running(site((1, 1), feeds=1, workers=0, folder=kept.folder))
    journal = kept.open()
    rack.silent.add("probe")
    plan = plan_upgrade(asked(rack.site, observe(live), live.roles, ("istio", "1.31.1")))
    held = apply(live, plan, journal, clock=rack, tempo=TEMPO)
    journal.abort(held.run)
    assert journal.fate(held.run) is Fate.ABORTED
    rack.silent.clear()
    assert apply(live, plan, journal, clock=rack, tempo=TEMPO).run == f"{plan.id[:12]}-2"


def test_a_run_written_by_another_version_is_refused_instead_of_waited_for(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert kept.child("apply", 5).returncode == -9
    monkeypatch.setattr(durable, "APPLICATION_VERSION", "journal-9")
    journal = kept.open()
    with pytest.raises(PlanRefused, match="was recorded as journal-1"):
        journal.drive(journal.runs()[0].id, lambda _: None, Event())


def test_an_edited_plan_in_the_run_directory_is_refused(tmp_path: Path) -> None:
    journal = DurableJournal(tmp_path, "small")
    journal.add(RunRecord("x-1", small_plan(), "2026-01-01T00:00:00"))
    file = tmp_path / "runs" / "x-1.json"
    file.write_text(file.read_text().replace("1.31.1", "1.31.2"))
    assert [entry.id for entry in journal.runs()] == ["x-1"]
    with pytest.raises(PlanRefused, match="PLAN-EDITED-01"):
        journal.load("x-1")
    file.write_text("{}")
    with pytest.raises(PlanRefused, match="PLAN-FORMAT-01"):
        journal.runs()


def test_there_is_no_status_before_the_first_run(kept: Kept) -> None:
    assert kept.status() is None
    assert newest(DurableJournal(kept.folder / "nowhere", "small")) is None


def test_the_lock_names_its_holder_and_dies_with_it(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    with site_lock(lock, "run-7"):
        found = holder(lock)
        assert found is not None
        assert (found.pid, found.run) == (os.getpid(), "run-7")
        assert str(found) == f"process {os.getpid()} on {found.host}, since {found.since}"
        with pytest.raises(LockHeld) as caught, site_lock(lock, "run-8"):
            pass
        assert caught.value.exit_code == 3
        assert f"run run-7 moves this site: process {os.getpid()} on " in str(caught.value)
    assert holder(lock) is None
    lock.write_text(json.dumps({"pid": 1, "host": "gone", "run": "dead", "since": "then"}))
    assert holder(lock) is None, "what a dead process left behind is not a holder"
    with site_lock(lock, "run-9"):
        pass


def test_outcomes_survive_the_journal_as_json() -> None:
    finding = Finding("GW-N1-NOW", Verdict.INCONCLUSIVE, "tor-r1: silent", "look")
    outcome = StepOutcome(Word.HELD, "x", 1.5, 5, (("pods.evicted", 2),), (finding,), 3, 1, "trace")
    assert from_json(to_json(outcome)) == outcome
