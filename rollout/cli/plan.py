"""``rackroll plan``: observe, work out, prove, show. Changes nothing."""

from __future__ import annotations

from pathlib import Path

import click

from rollout.cli.options import inventory_option, output_option
from rollout.cli.output import emit, say
from rollout.model.plan import Plan

EXIT_CHANGES = 2


def _plan_options(command: click.decorators.FC) -> click.decorators.FC:
    for option in (
        click.option(
            "--detailed-exitcode",
            is_flag=True,
            help="Exit 2 when there is something to do, 0 when there is not.",
        ),
        click.option(
            "--out", type=click.Path(dir_okay=False, path_type=Path), help="Save the plan for `apply`."
        ),
        output_option,
        inventory_option,
    ):
        command = option(command)
    return command


@click.group()
def plan() -> None:
    """Work out what would be done, and prove every state it passes through."""


@plan.command()
@_plan_options
@click.pass_context
def bringup(
    ctx: click.Context, inventory: Path, output: str, out: Path | None, detailed_exitcode: bool
) -> None:
    """A greenfield site: hosts, ToR, MetalLB, mesh, gateways, and an outside probe at the end."""
    from rollout.cli.world import build_world
    from rollout.engine.observe import observe
    from rollout.planner.bringup import plan_bringup
    from rollout.site.load import load_site

    site = load_site(inventory)
    world = build_world(site)
    _show(ctx, plan_bringup(site, observe(world), world.roles), output, out, detailed_exitcode)


@plan.command()
@click.option("--to", "target", required=True, metavar="SUBJECT=VERSION", help="For example istio=1.31.1.")
@_plan_options
@click.pass_context
def upgrade(
    ctx: click.Context, target: str, inventory: Path, output: str, out: Path | None, detailed_exitcode: bool
) -> None:
    """Move a mesh to a version: control plane first, then the data plane rack by rack."""
    from rollout.cli.world import build_world
    from rollout.engine.observe import observe
    from rollout.planner.goals import role_of
    from rollout.planner.preconditions import pinned
    from rollout.planner.request import asked
    from rollout.planner.upgrade import plan_upgrade
    from rollout.rules.book import book
    from rollout.site.load import load_site

    subject, _, version = target.partition("=")
    if not subject or not version:
        raise click.UsageError(f"--to {target}: expected SUBJECT=VERSION, for example --to istio=1.31.1")
    site = load_site(inventory)
    world = build_world(site)
    pinned(book(), role_of(world.roles, subject, site.name).kind, version)
    found = asked(site, observe(world), world.roles, (subject, version))
    _show(ctx, plan_upgrade(found), output, out, detailed_exitcode)


def _show(ctx: click.Context, plan: Plan, output: str, out: Path | None, detailed_exitcode: bool) -> None:
    from rollout.planner.codec import dump, to_document
    from rollout.planner.render import render_plan

    if out is not None:
        out.write_text(dump(plan), encoding="utf-8")
        say(f"plan {plan.id[:12]} saved: rackroll apply {out} -i <inventory>")
    emit(to_document(plan), output, lambda: render_plan(plan))
    if detailed_exitcode and plan.steps:
        ctx.exit(EXIT_CHANGES)
