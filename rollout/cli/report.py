"""``rackroll report``: what a run did, for the people who were not there."""

from __future__ import annotations

from pathlib import Path

import click

from rollout.cli.options import inventory_option
from rollout.cli.output import emit


@click.command()
@click.argument("run", required=False)
@inventory_option
@click.option(
    "-o",
    "--output",
    type=click.Choice(["table", "json", "yaml", "md"]),
    default="table",
    show_default=True,
)
@click.option("--steps/--no-steps", default=True, show_default=True, help="List every step with its time.")
def report(run: str | None, inventory: Path, output: str, steps: bool) -> None:
    """Report on a run of a site: RUN, or the newest.

    Outcome, waves and steps with their times, what held it, the fewest gateways in the ToRs' tables against N-1,
    next-hop changes against the plan's count, and what differs between the snapshots before and after.
    """
    from rollout.cli.report_text import as_document, as_markdown, as_table
    from rollout.engine.report import report as report_on
    from rollout.engine.run import durable, run_dir
    from rollout.site.load import load_site

    site = load_site(inventory)
    found = report_on(durable(site), run, run_dir(site), len(site.gateway_nodes))
    if found is None:
        nothing = f"{site.name}: no run yet; `rackroll plan bringup -i {inventory}` is the first"
        emit(None, output, lambda: nothing)
    elif output == "md":
        click.echo(as_markdown(found, steps=steps))
    else:
        emit(as_document(found), output, lambda: as_table(found, steps=steps))
