"""A report says what a run did: times, stops with their gates, N-1, next-hops counted, before and after."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from rollout.cli import report as report_command
from rollout.cli.report_text import as_document, as_markdown, as_table
from rollout.engine import run as front
from rollout.engine import snapshot
from rollout.engine.clock import Tempo
from rollout.engine.context import Run
from rollout.engine.effects.record import recorded
from rollout.engine.gauge import Gauge
from rollout.engine.journal import MemoryJournal
from rollout.engine.observe import observe
from rollout.engine.outcome import Word
from rollout.engine.ports import World
from rollout.engine.report import RunReport, report
from rollout.engine.run import apply, resume, run_dir
from rollout.engine.sampler import take_sample
from rollout.model.plan import NextHopChanges, Plan
from rollout.model.site import Site
from rollout.planner.codec import content_id
from rollout.planner.refuse import RuleRefused
from rollout.planner.request import asked
from rollout.planner.upgrade import plan_upgrade
from tests.unit.fake_world import TEMPO, running
from tests.unit.sites import site

TOTAL = 3


def planned(live: World) -> Plan:
    """With next-hop changes foretold, whatever this planner foretells."""
    plan = plan_upgrade(asked(live.site, observe(live), live.roles, ("istio", "1.31.1")))
    counted = replace(plan, id="", next_hops=(NextHopChanges("203.0.113.1", 6, 12),))
    return replace(counted, id=content_id(counted))


def held_then_done(finish: bool) -> tuple[MemoryJournal, str]:
    """A ToR falls silent once the first node is withdrawn; with ``finish`` it answers again and the run goes on."""
    rack, live = running(site((1, 1, 1)))
    journal = MemoryJournal()
    rack.each_tick = lambda: rack.silent.add("tor-r2") if "mark r1n1 excluded owner" in rack.log else None
    held = apply(live, planned(live), journal, clock=rack, tempo=TEMPO)
    assert held.word is Word.HELD
    if finish:
        rack.each_tick = lambda: None
        rack.silent.clear()
        assert resume(live, journal, clock=rack, tempo=TEMPO).word is Word.DONE
    return journal, held.run


def of(journal: MemoryJournal, run: str | None = None, folder: Path = Path("/nowhere")) -> RunReport:
    found = report(journal, run, folder, TOTAL)
    assert found is not None
    return found


def test_a_held_run_says_which_gate_held_it_and_what_it_left_half_done() -> None:
    found = of(held_then_done(finish=False)[0])
    assert found.word == "held"
    (stop,) = found.stops
    assert [finding.check for finding in stop.findings] == ["GW-ROUTE-GONE"]
    assert stop.title == "cordon r1n1"
    assert found.left
    assert "GW-ROUTE-GONE is inconclusive" in as_table(found, steps=False)


def test_a_finished_run_keeps_its_stops_and_counts_every_attempt() -> None:
    found = of(held_then_done(finish=True)[0])
    assert (found.word, found.steps_done, found.left) == ("done", found.steps_total, ())
    assert [stop.word for stop in found.stops] == ["held"]
    (again,) = [step for step in found.steps if step.attempts > 1]
    assert (again.title, again.attempts, again.word) == ("cordon r1n1", 2, "done")


def test_waves_add_up_to_the_run() -> None:
    found = of(held_then_done(finish=True)[0])
    assert sum(wave.steps for wave in found.waves) == found.steps_total
    assert sum(wave.seconds for wave in found.waves) == pytest.approx(found.seconds)
    assert found.seconds > 10, "three gateway nodes soak two seconds each"


def test_steps_that_have_not_begun_have_no_word_and_no_time() -> None:
    found = of(held_then_done(finish=False)[0])
    last = found.steps[-1]
    assert (last.word, last.attempts, last.seconds) == (None, 0, 0.0)


def test_next_hop_changes_are_counted_by_looks_and_shown_beside_the_plan_and_the_naive_order() -> None:
    gauge = Gauge()
    for nodes in ({"a", "b"}, {"a", "b"}, {"a"}, {"a", "b"}):
        gauge.routes("203.0.113.1", frozenset(nodes))
    assert gauge.take_changes() == (("203.0.113.1", 2),)
    assert gauge.take_changes() == ()
    gauge.routes("203.0.113.1", frozenset({"b"}))
    assert gauge.take_changes() == (("203.0.113.1", 1),)


def test_what_the_sampler_saw_change_lands_in_the_journal_and_in_the_report() -> None:
    rack, live = running(site((1, 1, 1)))
    journal = MemoryJournal()
    looking: list[Run] = []

    rack.each_tick = lambda: [take_sample(run) for run in looking] and None
    made = front._run

    def remembering(*args: object) -> Run:
        looking.append(made(*args))  # type: ignore[arg-type]
        return looking[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(front, "_run", remembering)
        apply(live, planned(live), journal, clock=rack, tempo=TEMPO)
    (counted,) = of(journal).next_hops
    assert (counted.vip, counted.seen, counted.planned, counted.naive) == ("203.0.113.1", 6, 6, 12)


def test_before_is_kept_from_the_first_drive_and_after_follows_each_stop(tmp_path: Path) -> None:
    rack, live = running(site())
    run = Run("run-1", live, clock=rack, tempo=Tempo(sample_every=None), folder=tmp_path)
    with recorded(run, fresh=True):
        rack.nodes["r1n1"] = replace(rack.nodes["r1n1"], cordoned=True)
    with recorded(run, fresh=False):
        assert snapshot.read(tmp_path, "run-1", "after") is None, "an old one would pass for now"
    before, after = (snapshot.read(tmp_path, "run-1", name) for name in ("before", "after"))
    assert before is not None
    assert after is not None
    assert (before.nodes[0].cordoned, after.nodes[0].cordoned) == (False, True)


def test_a_world_that_does_not_answer_costs_the_snapshot_and_never_the_run(tmp_path: Path) -> None:
    rack, live = running(site())
    rack.silent.add("kubernetes")
    with recorded(Run("run-1", live, clock=rack, folder=tmp_path), fresh=True):
        pass
    assert not list(tmp_path.rglob("*.json"))


def test_without_two_snapshots_the_report_says_which_is_missing() -> None:
    found = of(held_then_done(finish=True)[0])
    assert (found.missing, found.differences) == (("before", "after"), None)
    for text in (as_table(found, steps=False), as_markdown(found, steps=False)):
        assert "the snapshot before and after is not there" in text


def test_a_run_that_this_site_never_had_is_refused_by_name() -> None:
    journal, run = held_then_done(finish=True)
    with pytest.raises(RuleRefused, match="RUN-UNKNOWN-01") as refused:
        report(journal, "feedface0000-1", Path("/nowhere"), TOTAL)
    assert run in refused.value.hint
    assert report(MemoryJournal(), None, Path("/nowhere"), TOTAL) is None


def test_the_document_is_json_with_its_format_named() -> None:
    document = json.loads(json.dumps(as_document(of(held_then_done(finish=False)[0]))))
    assert document["format"] == "rackroll/report/v1"
    assert document["stops"][0]["findings"][0]["verdict"] == "inconclusive"


def test_markdown_tables_survive_a_bar_in_a_cell() -> None:
    found = of(held_then_done(finish=True)[0])
    odd = replace(found.steps[0], title="run a | b")
    text = as_markdown(replace(found, steps=(odd,)), steps=True)
    assert "run a \\| b" in text


def durable_run(folder: Path) -> Site:
    small = site((1, 1), feeds=1, folder=folder)
    rack, live = running(small)
    assert apply(live, planned(live), clock=rack, tempo=TEMPO).word is Word.DONE
    return small


@pytest.mark.parametrize(
    ("output", "sign"),
    [("table", "not planned: nothing"), ("md", "# upgrade of small: done"), ("yaml", "format:")],
)
def test_the_command_reports_on_the_newest_run_from_its_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, output: str, sign: str
) -> None:
    small = durable_run(tmp_path)
    assert sorted(p.name for p in run_dir(small).rglob("snapshots/*/*.json")) == ["after.json", "before.json"]
    monkeypatch.setattr("rollout.site.load.load_site", lambda _: small)
    done = CliRunner().invoke(report_command.report, ["-i", str(tmp_path), "-o", output])
    assert (done.exit_code, sign in done.output) == (0, True), done.output
