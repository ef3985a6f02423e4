"""What a drill counts, shows and promises, and what it refuses before it builds anything."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType

import pytest
from click.testing import CliRunner, Result

from lab.mesh.records import Outcome
from lab.mesh.tally import ErrorWindows, Handshakes
from pki.rotation.phase import Phase
from rollout.cli.demo import capability
from rollout.cli.drill import history
from rollout.cli.drill.command import FAULTS, drill
from rollout.cli.drill.crash import _targets
from rollout.cli.drill.menu import faults
from rollout.cli.drill.mortal import line, read
from rollout.cli.drill.rotation import PhaseTime, Timeline, phase_of_step
from rollout.cli.drill.score import DrillScore
from rollout.cli.drill.table import card, trend
from rollout.errors import RackrollError
from rollout.model.event import GatewaysSampled, RunFinished, StepFinished, StepHeld, StepStarted, VipSample
from rollout.model.gate import Finding, Verdict
from rollout.model.mesh import MeshKind
from tests.unit.trust_scenes import SCENES

WINDOWS = ErrorWindows(0.0, MappingProxyType({"r1": 0.0, "r2": 0.0}), MappingProxyType({}))
GOOD = Handshakes(17_974, 0, MappingProxyType({Outcome.OK: 17_974}), WINDOWS)
BAD = Handshakes(
    100,
    7,
    MappingProxyType({Outcome.OK: 93, Outcome.VERIFY: 7}),
    replace(WINDOWS, longest=812.5),
)
SCORE = DrillScore(
    mesh="istio",
    lab="embedded; meshes simulated, TLS handshakes real",
    at=datetime(2026, 11, 28, tzinfo=UTC),
    good=GOOD,
    naive=BAD,
    phases=tuple(
        PhaseTime(phase, 1.5) for phase in ("PREFLIGHT", "MINT", "TRUST", "SWITCH", "DRAIN", "UNTRUST")
    ),
    seconds=127.26,
    old_root_leaves=0,
    proxies=8,
    unseen=0,
    gateways_min=3,
    gateways_total=4,
)


def test_what_json_prints_is_what_was_promised_and_no_more() -> None:
    assert SCORE.printed() == {
        "mesh": "istio",
        "handshakes": {"tried": 17_974, "failed": 0},
        "error_window_ms": {"longest": 0.0, "by_rack": {"r1": 0.0, "r2": 0.0}},
        "naive": {"failed": 7, "error_window_ms": 812.5},
        "phases": [
            {"name": name, "seconds": 1.5}
            for name in ("PREFLIGHT", "MINT", "TRUST", "SWITCH", "DRAIN", "UNTRUST")
        ],
        "seconds": {"total": 127.3},
        "old_root": {"live_leaves": 0},
    }
    assert replace(SCORE, naive=None).printed()["naive"] is None


def test_a_drill_that_kept_everything_has_nothing_to_say() -> None:
    assert SCORE.broken_promises() == ()
    assert replace(SCORE, naive=None).broken_promises() == ()


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"good": BAD}, "7 of 100 handshakes failed"),
        ({"good": replace(GOOD, tried=0)}, "nothing was measured"),
        ({"old_root_leaves": 2}, "2 live leaves"),
        ({"proxies": 0}, "nothing was proven"),
        ({"unseen": 1}, "1 proxies could not be seen"),
        ({"naive": GOOD}, "cannot tell good from bad"),
    ],
)
def test_each_promise_that_is_not_kept_is_said(changed: dict[str, object], words: str) -> None:
    (said,) = replace(SCORE, **changed).broken_promises()  # type: ignore[arg-type]
    assert words in said


def test_a_fault_that_breaks_handshakes_itself_is_no_verdict_on_the_rotation() -> None:
    assert replace(SCORE, good=BAD, elsewhere=GOOD).broken_promises() == ()
    assert replace(SCORE, good=BAD, elsewhere=GOOD, old_root_leaves=1).broken_promises() != ()
    assert replace(SCORE, good=BAD, elsewhere=BAD).broken_promises() != ()
    assert replace(SCORE, elsewhere=replace(GOOD, tried=0)).broken_promises() != ()


def test_of_several_the_one_with_a_broken_promise_is_the_worst_then_the_one_that_failed_most() -> None:
    stale = replace(SCORE, old_root_leaves=1, seconds=1.0)
    slow = replace(SCORE, seconds=999.0)
    assert max((SCORE, slow, stale), key=lambda each: each.badness) is stale
    assert max((SCORE, slow), key=lambda each: each.badness) is slow
    tampered = replace(SCORE, good=BAD, elsewhere=GOOD)
    assert max((slow, tampered), key=lambda each: each.badness) is slow


def test_people_read_the_figures_and_what_became_of_the_fault() -> None:
    text = card(
        replace(SCORE, good=BAD, elsewhere=GOOD, fault={"name": "crash", "killed_in": {"MINT": ["a"]}}),
        Path("h"),
    )
    assert "100 tried, 7 failed (7 x verify)" in text
    assert "3 of 4 at least" in text
    assert "killed_in: MINT x 1" in text
    assert "all other nodes: 17974 tried, 0 failed" in text


def test_the_trend_leaves_out_what_a_fault_broke_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert "no drill was finished" in trend(history.trend(history.read()))
    history.keep(SCORE.document())
    history.keep(replace(SCORE, good=BAD, elsewhere=GOOD, fault={"name": "tampered-trust"}).document())
    history.keep(replace(SCORE, mesh="consul", at=datetime(2027, 2, 1, tzinfo=UTC)).document())
    with history.history_file().open("a") as sink:
        sink.write('{"mesh": "istio", "cut o')
    consul, istio = history.trend(history.read())
    assert (consul["quarter"], istio["quarter"]) == ("2027-Q1", "2026-Q4")
    assert (istio["drills"], istio["with_faults"], istio["failed_most"]) == (2, 1, 0)
    assert history.read("consul")[0]["mesh"] == "consul"
    assert "2026-Q4" in trend((istio,))


def test_all_six_phases_are_timed_also_the_one_that_a_mesh_does_not_have(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = iter([10.0, 12.0, 12.5, 20.0])
    monkeypatch.setattr("rollout.cli.drill.rotation.time.monotonic", lambda: next(clock))
    plan = SCENES["consul"].build().plan()
    steps = {step.key: step for _, _, _, step in plan.numbered()}
    time_line = Timeline(preflight=0.7)
    for key in ("consul/mint", "consul/switch/hand-over", "consul/drain/census"):
        time_line.watch(StepStarted("w", "s", 1, 9, steps[key]))
    time_line.watch(StepFinished(9, 9, steps["consul/drain/census"], timedelta(seconds=1), "done"))
    assert [(each.name, each.seconds) for each in time_line.phases()] == [
        ("PREFLIGHT", 0.7),
        ("MINT", 2.0),
        ("TRUST", 0.0),
        ("SWITCH", 0.5),
        ("DRAIN", 7.5),
        ("UNTRUST", 0.0),
    ]


@pytest.mark.parametrize("name", ["istio", "linkerd", "consul"])
def test_the_crash_drill_has_a_step_to_kill_in_for_each_phase_of_the_plan(name: str) -> None:
    plan = SCENES[name].build().plan()
    phases = {number: phase_of_step(step.key) for number, _, _, step in plan.numbered()}
    assert {phases[number] for number in _targets(plan)} == set(phases.values()) - {None}
    assert {Phase.MINT, Phase.SWITCH, Phase.DRAIN, Phase.UNTRUST} <= set(phases.values())


def test_events_of_a_process_that_may_be_killed_arrive_as_they_were() -> None:
    plan = SCENES["linkerd"].build().plan()
    number, wave, stage, step = next(iter(plan.numbered()))
    total, finding = plan.steps, Finding("PKI-CENSUS", Verdict.CLOSED, "r1n1: late", "restart it")
    events = (
        StepStarted(wave.name, stage.name, number, total, step),
        StepFinished(number, total, step, timedelta(seconds=1.25), "done", "2 pods"),
        StepHeld(number, total, step, (finding,)),
        GatewaysSampled(3, 3, 4, 0, (VipSample("gw", 3, 3, 4),)),
        RunFinished("done", ""),
    )
    assert tuple(read(line(event), plan) for event in events) == events


@pytest.mark.parametrize("text", ["", '{"started": 1', "[]", '"x"', '{"other": 1}', "Traceback"])
def test_a_line_that_was_cut_off_is_no_event(text: str) -> None:
    assert read(text, SCENES["linkerd"].build().plan()) is None


def test_each_fault_has_its_name_and_consul_is_spared_those_that_need_a_visit() -> None:
    known = faults()
    assert set(known) == set(FAULTS)
    spared = {name for name in FAULTS if MeshKind.CONSUL not in known[name]().meshes}
    assert spared == {"stuck-pod", "tampered-trust", "full-conntrack"}
    assert all(known[name]().meshes >= {MeshKind.ISTIO, MeshKind.LINKERD} for name in FAULTS)


def rotate(*words: str) -> Result:
    return CliRunner().invoke(drill, ["rotate", *words])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "--mesh"),
        (("--mesh", "cilium"), "cilium"),
        (("--mesh", "istio", "--fault", "fire"), "fire"),
        (("--mesh", "istio", "--name", "../x"), "no name of a lab"),
        (("--mesh", "istio", "--name", "a" * 13), "no name of a lab"),
        (("--mesh", "istio", "--loopback", "10.1."), "no such range"),
        (("--mesh", "istio", "--loopback", "127.300."), "no such range"),
        (("--mesh", "istio", "--runs", "0"), "--runs"),
    ],
)
def test_wrong_words_are_refused_by_name(words: tuple[str, ...], said: str) -> None:
    done = rotate(*words)
    assert done.exit_code == 2
    assert said in done.output


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> Callable[[str | None], list[str]]:
    """What would have been built, where ``why`` forbids it or nothing does."""

    def ready(why: str | None) -> list[str]:
        monkeypatch.setattr(capability, "why_no_namespaces", lambda: why)
        played: list[str] = []
        monkeypatch.setattr("rollout.cli.drill.acts.play", lambda kind, *_, **__: played.append(kind))
        return played

    return ready


def test_who_may_make_no_namespaces_is_told_why_before_anything_is_built(
    built: Callable[[str | None], list[str]],
) -> None:
    played = built("not root")
    error = rotate("--mesh", "istio").exception
    assert isinstance(error, RackrollError)
    assert "not root" in error.message
    assert error.hint == "run it as root on Linux"
    assert played == []


def test_a_fault_that_cannot_befall_the_mesh_is_refused_before_anything_is_built(
    built: Callable[[str | None], list[str]],
) -> None:
    played = built(None)
    error = rotate("--mesh", "consul", "--fault", "full-conntrack").exception
    assert isinstance(error, RackrollError)
    assert error.hint == "meshes that it can befall: istio, linkerd"
    assert played == []


def test_of_several_runs_the_worst_is_shown_each_is_kept_and_one_broken_promise_is_exit_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr(capability, "why_no_namespaces", lambda: None)
    scores = iter([SCORE, replace(SCORE, old_root_leaves=3), SCORE])
    monkeypatch.setattr("rollout.cli.drill.acts.play", lambda *_, **__: next(scores))
    done = rotate("--mesh", "istio", "--runs", "3", "-o", "json")
    assert done.exit_code == 1
    assert json.loads(done.stdout)["old_root"]["live_leaves"] == 3
    assert "drill 3 of 3" in done.stderr
    assert "not kept: 3 live leaves" in done.stderr
    assert len(history.read()) == 3
