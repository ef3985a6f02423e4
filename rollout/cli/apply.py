"""``rackroll apply`` and ``rackroll resume``: carry out a plan, or go on with one."""

from __future__ import annotations

from pathlib import Path

import click

from rollout.cli.ended import finish
from rollout.cli.options import inventory_option, output_option, yes_option
from rollout.cli.output import confirm


@click.command()
@click.argument("plan_file", metavar="PLAN", type=click.Path(path_type=Path))
@inventory_option
@output_option
@yes_option
@click.pass_context
def apply(ctx: click.Context, plan_file: Path, inventory: Path, output: str, yes: bool) -> None:
    """Carry out a saved plan; refused when it does not verify, was edited, or the site moved since.

    Ctrl-C stops at a safe point; `rackroll resume` goes on from there, also after kill -9.
    """
    from rollout.cli.progress import Progress
    from rollout.cli.verified import require_verified
    from rollout.cli.world import build_world
    from rollout.engine.run import apply as run_plan
    from rollout.planner.codec import dump, read_plan
    from rollout.site.load import load_site

    plan = read_plan(plan_file)
    site = load_site(inventory)
    require_verified(dump(plan), str(plan_file), site.folder)
    confirm(f"{plan.kind} of {site.name}: {plan.steps} steps. Carry it out?", yes=yes)
    title = f"{plan.kind} of {site.name}, plan {plan.id[:12]}: {plan.steps} steps"
    with Progress(title) as progress:
        outcome = run_plan(build_world(site), plan, observer=progress.observe)
    finish(ctx, outcome, output, inventory)


@click.command()
@inventory_option
@output_option
@click.pass_context
def resume(ctx: click.Context, inventory: Path, output: str) -> None:
    """Go on with the run that was held, interrupted or killed, from the step it was in."""
    from rollout.cli.progress import Progress
    from rollout.cli.world import build_world
    from rollout.engine.run import resume as resume_run
    from rollout.site.load import load_site

    site = load_site(inventory)
    with Progress(f"resuming the run on {site.name}") as progress:
        outcome = resume_run(build_world(site), observer=progress.observe)
    finish(ctx, outcome, output, inventory)
