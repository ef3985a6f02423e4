"""``rackroll hold``: ask the run that another process drives to stop at its next safe point."""

from __future__ import annotations

import getpass
import socket
from pathlib import Path

import click

from rollout.cli.options import inventory_option
from rollout.cli.output import say


@click.command()
@inventory_option
@click.option("--reason", default="", help="Why; `rackroll status` shows it until the run goes on.")
def hold(inventory: Path, reason: str) -> None:
    """Stop the running process at its next safe point (its exit code is 5); `rackroll resume` goes on."""
    from rollout.engine.hold import hold as hold_run
    from rollout.engine.run import durable
    from rollout.site.load import load_site

    site = load_site(inventory)
    run = hold_run(durable(site), _signed(reason))
    say(f"run {run} was asked to stop at its next safe point: rackroll status -i {inventory}")


def _signed(reason: str) -> str:
    """Who asked stands before why: whoever finds the run held next morning wants to know both."""
    who = f"{getpass.getuser()}@{socket.gethostname()}"
    return f"{who}: {reason or 'no reason given'}"
