"""Progress observes events: every step is one line off a terminal, and the N-1 figures are on it on one."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO

from rich.console import Console

from rollout.cli.progress import Progress
from rollout.model.event import (
    GatewaysSampled,
    RunFinished,
    StepFinished,
    StepHeld,
    StepSkipped,
    StepStarted,
    WavePlace,
)
from rollout.model.gate import Finding, Verdict
from rollout.model.step import Cordon, Step

STEP = Step("r1n1/cordon", Cordon("r1n1"), node="r1n1")


def shown(*, terminal: bool, lost: int | None = None) -> str:
    stream = StringIO()
    console = Console(file=stream, force_terminal=terminal, width=120, highlight=False, color_system=None)
    with Progress("upgrade of lab", lost=lambda: lost, console=console) as progress:
        progress.observe(StepStarted("rack r1", "gateways", 11, 59, STEP))
        progress.observe(GatewaysSampled(in_rib=3, ready=3, total=4, lost=0))
        progress.observe(GatewaysSampled(in_rib=4, ready=4, total=4, lost=0))
        if terminal:
            console.print(progress._panel())
        progress.observe(StepFinished(11, 59, STEP, timedelta(seconds=0.1), "done"))
        progress.observe(StepHeld(12, 59, STEP, (Finding("GW-N1-NOW", Verdict.CLOSED, "2 of 4 serve"),)))
        progress.observe(RunFinished("held", ""))
    return stream.getvalue()


def test_off_a_terminal_each_finished_step_is_one_line() -> None:
    lines = shown(terminal=False).splitlines()
    assert lines[0] == "upgrade of lab"
    assert lines[1] == "  ✓ [11/59] cordon r1n1  0.1s"
    assert "held at 12/59 by GW-N1-NOW (closed): 2 of 4 serve" in lines[2]
    assert lines[3] == "  held"


def test_on_a_terminal_wave_step_gateways_and_losses_are_in_sight() -> None:
    panel = shown(terminal=True, lost=2)
    assert "[11/59] rack r1 · gateways · cordon r1n1" in panel
    assert "gateways in RIB 4/4 (min 3)" in panel
    assert "requests lost 2" in panel


def test_without_a_load_no_count_of_lost_requests_is_claimed() -> None:
    assert "requests lost" not in shown(terminal=True, lost=None)


def test_where_in_its_wave_a_step_is_stands_before_what_may_not_fit() -> None:
    stream = StringIO()
    console = Console(file=stream, force_terminal=True, width=60, highlight=False, color_system=None)
    with Progress("upgrade", console=console) as progress:
        wave = "racks r1, r2, r3, r4 and 7 more"
        progress.observe(StepStarted(wave, "workers", 71, 354, STEP, WavePlace(5, 13, 18, 38)))
        console.print(progress._panel())
    lines = [line for line in stream.getvalue().splitlines() if "71/354" in line]
    assert lines
    assert all("wave 5/13, 18 of 38: racks r1" in line for line in lines)
    assert all(len(line) <= 60 for line in lines)


def test_a_node_that_is_put_aside_is_said_once_with_its_reason() -> None:
    stream = StringIO()
    console = Console(file=stream, width=120, highlight=False, color_system=None)
    with Progress("upgrade", console=console) as progress:
        progress.observe(StepSkipped(71, 354, STEP, "r1n1 is NotReady\n  next: look"))
        progress.observe(StepSkipped(72, 354, STEP, "r1n1 was put aside"))
    assert stream.getvalue().splitlines() == ["upgrade", "  ⤼ r1n1 put aside at 71/354: r1n1 is NotReady"]
