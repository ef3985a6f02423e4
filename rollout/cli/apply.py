"""``rackroll apply`` and ``rackroll resume``: carry out a plan, or go on with one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rollout.cli.options import inventory_option, output_option, yes_option
from rollout.cli.output import confirm, emit, say

if TYPE_CHECKING:
    from rollout.engine.run import RunOutcome


@click.command()
@click.argument("plan_file", metavar="PLAN", type=click.Path(path_type=Path))
@inventory_option
@output_option
@yes_option
@click.pass_context
def apply(ctx: click.Context, plan_file: Path, inventory: Path, output: str, yes: bool) -> None:
    """Carry out a saved plan; refused when the file was edited or the site moved since.

    Ctrl-C stops at a safe point; `rackroll resume` goes on from there, also after kill -9.
    """
    from rollout.cli.progress import Progress
    from rollout.cli.world import build_world
    from rollout.engine.run import apply as run_plan
    from rollout.planner.codec import read_plan
    from rollout.site.load import load_site

    plan = read_plan(plan_file)
    site = load_site(inventory)
    confirm(f"{plan.kind} of {site.name}: {plan.steps} steps. Carry it out?", yes=yes)
    title = f"{plan.kind} of {site.name}, plan {plan.id[:12]}: {plan.steps} steps"
    with Progress(title) as progress:
        outcome = run_plan(build_world(site), plan, observer=progress.observe)
    _finish(ctx, outcome, output, inventory)


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
    _finish(ctx, outcome, output, inventory)


@click.command()
@inventory_option
@yes_option
def abandon(inventory: Path, yes: bool) -> None:
    """Give the unfinished run up, so that another can start; what it left in the site stays as it is."""
    from rollout.cli.world import build_world
    from rollout.engine.run import abandon as abandon_run
    from rollout.site.load import load_site

    site = load_site(inventory)
    confirm(f"Give up the unfinished run on {site.name}? Its marks on nodes stay.", yes=yes)
    record = abandon_run(build_world(site))
    say(f"run {record.id} abandoned")


def _finish(ctx: click.Context, outcome: RunOutcome, output: str, inventory: Path) -> None:
    emit(_document(outcome), output, lambda: _sentence(outcome))
    if outcome.exit_code:
        say(f"rackroll: to go on: rackroll resume -i {inventory}")
    ctx.exit(outcome.exit_code)


def _document(outcome: RunOutcome) -> dict[str, Any]:
    return {
        "run": outcome.run,
        "outcome": outcome.word.value,
        "detail": outcome.detail,
        "steps": {"done": outcome.steps_done, "total": outcome.steps_total, "stoppedAt": outcome.step},
        "findings": [
            {"check": f.check, "verdict": f.verdict.value, "detail": f.detail, "hint": f.hint}
            for f in outcome.findings
        ],
        "leftHalfDone": list(outcome.left),
        "gateways": {"total": outcome.gateways_total, "minInRib": outcome.min_in_rib},
        "changed": dict(outcome.counts),
    }


def _sentence(outcome: RunOutcome) -> str:
    head = f"run {outcome.run}: {outcome.word.value}, {outcome.steps_done} of {outcome.steps_total} steps"
    hints = [f"  {f.check}: {f.detail}; {f.hint}" for f in outcome.findings]
    return "\n".join([head, *([outcome.detail] if outcome.detail else []), *hints])
