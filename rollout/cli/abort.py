"""``rackroll abort``: end the unfinished run and put back in service what it left half-done."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rollout.cli.options import inventory_option, output_option, yes_option
from rollout.cli.output import confirm, emit, say

if TYPE_CHECKING:
    from rollout.engine.abort import Aborted


@click.command()
@inventory_option
@output_option
@click.option(
    "--leave", multiple=True, metavar="NODE", help="Leave this broken node as it is; may be given again."
)
@yes_option
def abort(inventory: Path, output: str, leave: tuple[str, ...], yes: bool) -> None:
    """End the unfinished run: its own cordons, labels and drained gateways go back, what it changed stays.

    Refused while the run's process lives: hold it first. Safe to repeat.
    """
    from rollout.cli.world import build_world
    from rollout.engine.abort import abort as abort_run
    from rollout.site.load import load_site

    site = load_site(inventory)
    confirm(f"End the unfinished run on {site.name}, and put its nodes back in service?", yes=yes)
    ended = abort_run(build_world(site), say=say, leave=leave)
    emit(_document(ended), output, lambda: _sentence(ended))


def _document(ended: Aborted) -> dict[str, Any]:
    return {"run": ended.run, "putBack": list(ended.back), "staysChanged": list(ended.stays)}


def _sentence(ended: Aborted) -> str:
    back = ", ".join(ended.back) or "nothing was out of service"
    lines = [f"run {ended.run} aborted; put back in service: {back}"]
    lines += [f"stays changed: {line}" for line in ended.stays]
    return "\n".join([*lines, *(["`rackroll rollback` takes that back"] if ended.stays else [])])
