"""hold, abort, rollback and status as an operator types them, on the rack in memory (simulated)."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Event

import pytest
from click.testing import CliRunner, Result

from rollout.cli.main import cli
from rollout.engine import abort as aborting
from rollout.engine import run as running_module
from rollout.engine.journal import Fate
from rollout.engine.observe import observe
from rollout.errors import LockHeld, PlanRefused, RackrollError
from rollout.planner.codec import dump
from rollout.planner.request import asked
from rollout.planner.upgrade import plan_upgrade
from tests.unit.fake_world import TEMPO, FakeRack, running, world
from tests.unit.sites import site
from tests.unit.test_engine_abort import OwnedJournal


@dataclass
class Desk:
    """A terminal on a site whose world is the rack, and whose journal stays in memory."""

    rack: FakeRack
    journal: OwnedJournal
    folder: Path

    def types(self, *words: str) -> Result:
        return CliRunner().invoke(cli, [*words, "-i", str(self.folder)], catch_exceptions=True)

    def upgrade(self) -> Result:
        live = world(self.rack)
        plan = plan_upgrade(asked(live.site, observe(live), live.roles, ("istio", "1.31.1")))
        file = self.folder / "plan.json"
        file.write_text(dump(plan))
        return self.types("apply", str(file), "--yes", "-o", "json")

    def stop_at(self, word: str, stop: Event) -> None:
        def tick() -> None:
            if any(word in line for line in self.rack.log):
                stop.set()
                self.rack.each_tick = lambda: None

        self.rack.each_tick = tick


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    rack, _ = running(site(folder=tmp_path))
    made = Desk(rack, OwnedJournal(), tmp_path)
    patches: dict[str, Callable[..., object]] = {
        "rollout.site.load.load_site": lambda _: rack.site,
        "rollout.cli.world.build_world": lambda _: world(rack),
    }
    for name, value in patches.items():
        monkeypatch.setattr(name, value)
    for module in (running_module, aborting):
        monkeypatch.setattr(module, "durable", lambda _: made.journal)
        monkeypatch.setattr(module, "SystemClock", lambda: rack)
        monkeypatch.setattr(module, "Tempo", lambda: TEMPO)
    monkeypatch.setattr("rollout.engine.status.durable", lambda _: made.journal)
    return made


def error(result: Result) -> RackrollError:
    assert isinstance(result.exception, RackrollError)
    return result.exception


def interrupted(desk: Desk, monkeypatch: pytest.MonkeyPatch, word: str = "mark r1n1 cordoned") -> None:
    """As Ctrl-C at that moment."""
    stop = Event()
    with monkeypatch.context() as patched:
        patched.setattr(running_module, "Event", lambda: stop)
        desk.stop_at(word, stop)
        assert desk.upgrade().exit_code == 130


def test_a_rollback_of_a_finished_run_ends_with_exit_code_6_and_status_shows_both_runs(desk: Desk) -> None:
    first = json.loads(desk.upgrade().stdout)["run"]
    back = desk.types("rollback", "--yes", "-o", "json")
    assert back.exit_code == 6, back.output
    assert json.loads(back.stdout)["rollsBack"] == first
    assert "hold new proxies" in back.stderr, "the way back is shown before it is gone"
    assert {pod.version for pod in desk.rack.pods.values()} == {"1.30.3"}
    seen = json.loads(desk.types("status", "-o", "json").stdout)
    assert (seen["state"], seen["rollsBack"]) == ("done", first)
    assert all(wave["done"] == wave["total"] for wave in seen["waves"])
    assert {step["state"] for step in seen["steps"]["list"]} <= {"done", "already"}
    assert len(seen["steps"]["list"]) == seen["steps"]["total"]
    assert "RUN-ROLLBACK-01" in str(error(desk.types("rollback", "--yes")))


def test_a_rollback_of_a_run_that_was_cut_short_ends_it_first(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupted(desk, monkeypatch)
    back = desk.types("rollback", "--yes")
    assert back.exit_code == 6, back.output
    assert "r1n1 is back in service" in back.stderr
    assert (desk.rack.marked(), desk.rack.lowest, desk.rack.lost) == ([], 3, 0)


def test_without_a_terminal_and_without_yes_nothing_is_taken_back(desk: Desk) -> None:
    desk.upgrade()
    log = list(desk.rack.log)
    refused = desk.types("rollback")
    assert refused.exit_code != 0
    assert desk.rack.log == log


def test_the_way_back_can_be_saved_reviewed_and_applied_later(desk: Desk) -> None:
    first = json.loads(desk.upgrade().stdout)["run"]
    file = desk.folder / "back.json"
    assert desk.types("rollback", "--yes", "--out", str(file)).exit_code == 0
    assert {pod.version for pod in desk.rack.pods.values()} == {"1.31.1"}
    later = desk.types("apply", str(file), "--yes", "-o", "json")
    assert (later.exit_code, json.loads(later.stdout)["rollsBack"]) == (6, first)


def test_an_abort_names_what_went_back_and_what_stays(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    interrupted(desk, monkeypatch)
    ended = desk.types("abort", "--yes", "-o", "json")
    assert ended.exit_code == 0, ended.output
    document = json.loads(ended.stdout)
    assert document["putBack"] == ["r1n1"]
    assert any("istiod" in line for line in document["staysChanged"])
    assert desk.types("abort", "--yes").exit_code == 0, "safe to repeat"
    assert json.loads(desk.types("status", "-o", "json").stdout)["state"] == "aborted"


def test_an_abort_beside_a_living_run_is_refused_and_says_hold(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupted(desk, monkeypatch)
    desk.journal.alive = desk.journal.runs()[-1].id
    refused = error(desk.types("abort", "--yes"))
    assert isinstance(refused, LockHeld)
    assert "rackroll hold" in refused.hint


def test_a_hold_says_which_run_was_asked_and_is_refused_where_none_runs(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert isinstance(error(desk.types("hold")), PlanRefused)
    interrupted(desk, monkeypatch)
    run = desk.journal.runs()[-1].id
    desk.journal.alive = run
    assert run in desk.types("hold", "--reason", "a storm").stderr
    asked_for = desk.journal.hold_asked(run)
    assert asked_for is not None
    assert asked_for.endswith(": a storm")
    desk.journal.alive = ""
    shown = desk.types("status").stdout
    assert "is held" in shown
    assert "a storm" in shown
    assert "left half-done: r1n1 is drained and withdrawn and cordoned" in shown


def test_a_lab_that_goes_takes_its_unfinished_run_along_and_says_so(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the next lab of the folder would refuse every plan: nobody can go on with what is gone."""
    interrupted(desk, monkeypatch)
    removed = [True, False]
    monkeypatch.setattr("lab.lifecycle.down", lambda _: removed.pop(0))
    monkeypatch.setattr("rollout.engine.opened.durable", lambda _: desk.journal)
    (run,) = [entry.id for entry in desk.journal.runs()]
    said = desk.types("lab", "down").stderr
    assert f"run {run} was not finished" in said
    assert desk.journal.fate(run) is Fate.ABORTED
    assert "run" not in desk.types("lab", "down").stderr, "no lab, no word about runs"


def test_where_there_was_no_lab_no_run_is_ended(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """`lab down` on a production site by mistake must not touch its journal."""
    interrupted(desk, monkeypatch)
    monkeypatch.setattr("rollout.engine.opened.durable", lambda _: desk.journal)
    assert desk.types("lab", "down").exit_code == 0
    assert desk.journal.fate(desk.journal.runs()[-1].id) is Fate.UNFINISHED


def test_a_lab_with_a_broken_site_file_goes_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lab.lifecycle.down", lambda _: True)
    (tmp_path / "site.yaml").write_text("racks: 3")
    (tmp_path / ".rackroll").mkdir()
    done = CliRunner().invoke(cli, ["lab", "down", "-i", str(tmp_path)])
    assert done.exit_code == 0
    assert "is not ended with the lab" in done.stderr
    assert "lab down" in done.stderr
