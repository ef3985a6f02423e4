"""``rackroll demo``: the product's whole promise in one command, on one machine."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from rollout.cli.options import output_option
from rollout.cli.output import emit, say
from rollout.errors import RackrollError

if TYPE_CHECKING:
    from rollout.cli.demo.score import Score

TARGET = "1.31.1"


@click.command()
@output_option
@click.option("--to", "version", default=TARGET, show_default=True, help="Istio version to upgrade to.")
@click.option(
    "--simulated", is_flag=True, help="Use the simulated cluster alone, even where namespaces work."
)
@click.option(
    "--real",
    is_flag=True,
    help="On upstream's Kubernetes and MetalLB, which `make tools` builds. The mesh's charts stay the lab's own.",
)
@click.pass_context
def demo(ctx: click.Context, output: str, version: str, simulated: bool, real: bool) -> None:
    """Lab up, bringup, upgrade under load, the same upgrade done naively, scoreboard, lab down."""
    from rollout.cli.demo.capability import why_no_namespaces
    from rollout.cli.demo.scoreboard import render_scoreboard

    if simulated and real:
        raise click.UsageError("--simulated and --real exclude each other")
    why = "asked for with --simulated" if simulated else why_no_namespaces()
    if why and real:
        raise RackrollError(f"--real needs network-namespace hosts: {why}", hint="run it as root on Linux")
    score = _simulated(version, why) if why else _on_the_lab(version, real=real)
    colour = sys.stdout.isatty() and output == "table"
    emit(score.document(), output, lambda: render_scoreboard(score, colour=colour))
    broken = score.broken_promises()
    for promise in broken:
        say(f"rackroll: not kept: {promise}")
    if broken:
        ctx.exit(1)


def _on_the_lab(version: str, *, real: bool) -> Score:
    from rollout.cli.demo.acts import play
    from rollout.cli.demo.lab_stage import LabTheatre

    return play(LabTheatre(say, real), version, say, simulated=False)


def _simulated(version: str, why: str) -> Score:
    from rollout.cli.demo.acts import play
    from rollout.cli.demo.simulated_stage import SimulatedTheatre

    say(f"SIMULATED: network-namespace hosts are not used here ({why}).")
    say("The same plan runs on the simulated cluster alone: hosts, ToRs and requests below are a model.")
    return play(SimulatedTheatre(say), version, say, simulated=True)
