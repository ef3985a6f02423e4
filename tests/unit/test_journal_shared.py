"""A journal that two machines share: one moves, the other sees who, and takes over once the first is gone."""

from __future__ import annotations

import os
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from rollout.engine.durable import DurableJournal
from rollout.engine.journal import RunRecord
from rollout.engine.journalurl import JournalUrl, journal_url
from rollout.engine.outcome import StepOutcome, Word
from rollout.engine.shared import LONGEST_NAME, schema_of
from rollout.engine.status import newest
from rollout.errors import LockHeld, SiteInvalid, Unreachable
from tests.unit.kept_journal import Kept
from tests.unit.postgres import PASSWORD, Cluster
from tests.unit.test_journal_durable import DRAIN, STEPS, small_plan

URL = "postgresql://rackroll:${DB_PASSWORD}@db.example:5432/journal"


def elsewhere(kept: Kept, name: str) -> Kept:
    """The same journal, seen from another machine: nothing of the first one's disk is there."""
    folder = kept.folder / name
    folder.mkdir()
    return replace(kept, folder=folder)


def test_another_machine_is_refused_with_the_holders_name_while_the_first_one_moves(shared: Kept) -> None:
    process = shared.started_slowly()
    second = elsewhere(shared, "second")
    try:
        seen = shared.reached(DRAIN)
        with pytest.raises(LockHeld) as caught, second.open().owned("mine"):
            pass
        assert caught.value.exit_code == 3
        assert f"run {seen.run} moves this site: process {process.pid} on {os.uname().nodename}" in str(
            caught.value
        )
        watched = second.status()
        assert watched is not None
        assert (watched.run, watched.word, watched.steps_total) == (seen.run, "running", STEPS)
    finally:
        process.kill()
        process.communicate()


def test_a_killed_machines_run_is_finished_by_another_with_the_plan_from_the_database(shared: Kept) -> None:
    process = shared.started_slowly()
    run = shared.reached(DRAIN).run
    process.kill()
    process.communicate()
    second = elsewhere(shared, "second")
    (second.folder / "rack.pickle").write_bytes((shared.folder / "rack.pickle").read_bytes())
    died = second.status()
    assert died is not None
    assert (died.run, died.word, died.holder) == (run, "stopped", None)
    resumed = second.child("resume", 0)
    assert resumed.stdout.startswith(f"done {STEPS} {STEPS} 1 0 []"), resumed
    assert not (second.folder / "runs").exists(), "runs are in the database"


def test_a_database_that_goes_away_ends_the_process_and_the_run_is_resumed_once_it_is_back(
    shared: Kept, cluster: Cluster
) -> None:
    process = shared.started_slowly()
    run = shared.reached(DRAIN).run
    cluster.stop()
    try:
        began = time.monotonic()
        _, errors = process.communicate(timeout=30)
        assert time.monotonic() - began < 15
        assert process.returncode == Unreachable.exit_code
        assert "the journal's database does not answer" in errors
        assert PASSWORD not in errors
        with pytest.raises(Unreachable) as silent:
            shared.status()
        assert PASSWORD not in str(silent.value)
    finally:
        cluster.start()
    after = shared.status()
    assert after is not None
    assert (after.run, after.word) == (run, "stopped")
    assert shared.child("resume", 0).stdout.startswith(f"done {STEPS} {STEPS} 1 0 []")


def test_a_run_whose_lock_was_lost_takes_no_further_step(shared: Kept, cluster: Cluster) -> None:
    journal = shared.open()
    done: list[str] = []

    def body(once: object) -> None:
        assert callable(once)
        once("0001 a #1", lambda: StepOutcome(Word.DONE, "a"))
        cluster.sql("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'")
        once("0002 b #1", lambda: done.append("b"))

    journal.add(RunRecord("x-1", small_plan(), "2026-01-01T00:00:00"))
    with journal.owned("x-1"), pytest.raises(Unreachable):
        journal.drive("x-1", body, threading.Event())
    assert done == []
    assert [record.name for record in journal.records("x-1")] == ["0001 a #1"]


def test_two_sites_in_one_database_do_not_see_each_other(shared: Kept) -> None:
    here = shared.open()
    there = DurableJournal(shared.folder / "other", "other", shared.url)
    here.add(RunRecord("x-1", small_plan(), "2026-01-01T00:00:00"))
    assert there.runs() == ()
    with here.owned("x-1"), there.owned("y-1"):
        held, other = here.holder(), there.holder()
        assert held is not None
        assert other is not None
        assert (held.run, other.run) == ("x-1", "y-1")


def test_long_site_names_get_schemas_of_their_own() -> None:
    long = [f"{'a' * 62}{end}" for end in "xy"]
    assert len({schema_of(name) for name in long}) == 2
    assert all(len(schema_of(name)) <= LONGEST_NAME for name in long)


def test_the_environment_goes_before_the_site_and_the_sites_references_are_filled_in() -> None:
    assert journal_url(None, {}) is None
    found = journal_url(URL, {"DB_PASSWORD": "p@ss/word"})
    assert found is not None
    assert "p%40ss%2Fword" in found.dsn
    other = journal_url(URL, {"RACKROLL_JOURNAL_URL": "postgresql://elsewhere/db"})
    assert other is not None
    assert other.shown == "postgresql://elsewhere/db"


def test_a_password_is_in_no_text_about_the_journal() -> None:
    found = journal_url(URL, {"DB_PASSWORD": "hunter2"})
    assert found is not None
    assert found.shown == "postgresql://rackroll@db.example:5432/journal"
    assert "hunter2" not in repr(found) + str(found)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("mysql://u:hunter2@h/d", "is not a Postgres URL"),
        ("postgresql://u:hunter2@h:port/d", "is not a URL"),
        ("postgresql://u:hunter2@h", "names no database"),
        ("u:hunter2@h/d", "is not a Postgres URL"),
    ],
)
def test_a_url_that_leads_nowhere_is_refused_without_showing_it(url: str, words: str) -> None:
    with pytest.raises(SiteInvalid, match=words) as refused:
        journal_url(None, {"RACKROLL_JOURNAL_URL": url})
    assert "hunter2" not in str(refused.value)
    assert refused.value.where == "RACKROLL_JOURNAL_URL"


def test_a_reference_to_nothing_is_named() -> None:
    with pytest.raises(SiteInvalid, match=r"uses \$\{DB_PASSWORD\}, which is not set"):
        journal_url(URL, {})


def test_a_database_that_refuses_the_password_is_unreachable_and_says_neither(
    shared: Kept, tmp_path: Path
) -> None:
    assert shared.url is not None
    wrong = JournalUrl(shared.url.dsn.replace(PASSWORD, "wrong-one"), shared.url.shown)
    with pytest.raises(Unreachable, match="password authentication failed") as refused:
        newest(DurableJournal(tmp_path, "small", wrong))
    assert "wrong-one" not in str(refused.value)
