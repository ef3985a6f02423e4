"""``rackroll rollback``: take the newest run back, as a plan that is proven and carried out like any other."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from rollout.cli.ended import finish
from rollout.cli.options import inventory_option, output_option, yes_option
from rollout.cli.output import confirm, say

if TYPE_CHECKING:
    from rollout.engine.journal import Journal, RunRecord
    from rollout.engine.ports import World
    from rollout.model.plan import Plan


@click.command()
@inventory_option
@output_option
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), help="Save the way back for `apply`, and stop."
)
@yes_option
@click.pass_context
def rollback(ctx: click.Context, inventory: Path, output: str, out: Path | None, yes: bool) -> None:
    """Take the newest run back: end it if it is unfinished, show the way back, and carry it out (exit code 6).

    Data planes go back before control planes.
    """
    from rollout.cli.progress import Progress
    from rollout.cli.world import build_world
    from rollout.engine.rollback import to_undo
    from rollout.engine.run import apply, durable
    from rollout.planner.render import render_plan
    from rollout.site.load import load_site

    site = load_site(inventory)
    world, journal = build_world(site), durable(site)
    record = to_undo(journal)
    _end(world, journal, record, yes=yes)
    plan = _way_back(world, record)
    click.echo(render_plan(plan), err=True)
    if out is not None:
        _save(plan, out, record)
        return
    confirm(f"Roll back run {record.id} of {site.name}: {plan.steps} steps. Carry it out?", yes=yes)
    with Progress(f"rollback of run {record.id} on {site.name}: {plan.steps} steps") as progress:
        outcome = apply(world, plan, observer=progress.observe)
    finish(ctx, outcome, output, inventory)


def _end(world: World, journal: Journal, record: RunRecord, *, yes: bool) -> None:
    """A rollback starts from a site with nothing half-done; the run it takes back is over before."""
    from rollout.engine.abort import abort
    from rollout.engine.journal import Fate

    if journal.fate(record.id) is not Fate.UNFINISHED:
        return
    confirm(f"Run {record.id} is unfinished. End it, and put its nodes back in service?", yes=yes)
    ended = abort(world, say=say)
    say(f"run {ended.run} aborted; the way back follows")


def _way_back(world: World, record: RunRecord) -> Plan:
    from datetime import UTC, datetime

    from rollout.cli.verified import require_verified
    from rollout.engine.observe import observe
    from rollout.planner.codec import dump
    from rollout.planner.request import Request
    from rollout.planner.rollback import plan_rollback
    from rollout.rules.book import rulebook

    request = Request(
        world.site, observe(world), world.roles, rulebook(world.site.folder), today=datetime.now(UTC).date()
    )
    plan = plan_rollback(request, record.plan)
    require_verified(dump(plan), f"way back from run {record.id}", world.site.folder)
    return plan


def _save(plan: Plan, out: Path, record: RunRecord) -> None:
    from rollout.planner.codec import dump

    out.write_text(dump(plan), encoding="utf-8")
    say(f"the way back from run {record.id} is saved: rackroll apply {out} -i <inventory>")
