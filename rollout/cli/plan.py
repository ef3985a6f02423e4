"""``rackroll plan``: observe, work out, prove, show. Changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rollout.cli.options import inventory_option, output_option
from rollout.cli.output import emit, say
from rollout.model.plan import Options, Plan

if TYPE_CHECKING:
    from rollout.planner.request import Request

EXIT_CHANGES = 2
Pairs = tuple[tuple[str, str], ...]


class _Release(click.ParamType[Any]):
    """``SUBJECT=VERSION``."""

    name = "SUBJECT=VERSION"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        subject, _, version = str(value).partition("=")
        if not subject.strip() or not version.strip():
            self.fail(f"{value!r}: expected SUBJECT=VERSION, for example istio=1.31.1", param, ctx)
        return subject.strip(), version.strip()


class _Reason(click.ParamType[Any]):
    """Words that somebody can be asked about later."""

    name = "REASON"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if not str(value).strip():
            self.fail("give a reason: it stands in the plan, and somebody has to sign it", param, ctx)
        return str(value).strip()


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


def _targets_option(command: click.decorators.FC) -> click.decorators.FC:
    text = "For example istio=1.31.1; again for more subjects."
    return click.option("--to", "targets", type=_Release(), multiple=True, required=True, help=text)(command)


def _walk_options(command: click.decorators.FC) -> click.decorators.FC:
    for option in (
        click.option(
            "--break-glass",
            type=_Reason(),
            metavar="REASON",
            help="Override what may be overridden; somebody has to sign for it.",
        ),
        click.option(
            "--max-fail",
            type=click.IntRange(0),
            default=0,
            show_default=True,
            help="Nodes that may fail before the run stops.",
        ),
        click.option(
            "--start-at", default="", metavar="NODE|rack:RACK", help="Skip the nodes that come before."
        ),
        click.option(
            "--limit",
            default="",
            metavar="NODES",
            help="Only these: rack:r1,!r1n2  group:gateways  domain:feed-a  r1n*  (! without, & only what is in both).",
        ),
    ):
        command = option(command)
    return command


@click.group()
def plan() -> None:
    """Work out what would be done, and prove every state it passes through."""


@plan.command()
@_plan_options
@click.pass_context
def bringup(ctx: click.Context, /, inventory: Path, **shown: Any) -> None:
    """A greenfield site: hosts, ToR, MetalLB, mesh, gateways, and an outside probe at the end."""
    from rollout.planner.bringup import plan_bringup

    _show(ctx, plan_bringup(_request(inventory)), **shown)


@plan.command()
@_targets_option
@click.option(
    "--via", type=_Release(), multiple=True, help="A version to pass through on a path of several hops."
)
@click.option("--no-path", is_flag=True, help="Refuse what cannot be reached in one hop.")
@_walk_options
@_plan_options
@click.pass_context
def upgrade(
    ctx: click.Context, /, inventory: Path, targets: Pairs, via: Pairs, no_path: bool, **rest: Any
) -> None:
    """Move subjects to versions: control planes first, then the nodes in waves, hop after hop where one is too far."""
    from rollout.planner.upgrade import plan_upgrade

    options, shown = _split(rest)
    _show(ctx, plan_upgrade(_request(inventory, options, targets, via, one_jump=no_path)), **shown)


@plan.command()
@click.argument("argv", nargs=-1, metavar="[-- COMMAND [ARG...]]")
@click.option(
    "--reboot",
    is_flag=True,
    help="Reboot each node, after the command if there is one, and wait for its next boot.",
)
@click.option("--purpose", default="", help="What the command is for, in the plan's and the journal's words.")
@_walk_options
@_plan_options
@click.pass_context
def maintain(
    ctx: click.Context,
    /,
    inventory: Path,
    argv: Sequence[str],
    reboot: bool,
    purpose: str,
    **rest: Any,
) -> None:
    """Run a command of your own on drained nodes, one after the other (patches, firmware), and reboot them."""
    from rollout.planner.maintain import plan_maintain, require_task

    if not argv and not reboot:
        raise click.UsageError("say what to run after `--`, or give `--reboot`")
    require_task(tuple(argv), reboot=reboot)
    options, shown = _split(rest)
    made = plan_maintain(_request(inventory, options), tuple(argv), purpose, reboot=reboot)
    _show(ctx, made, **shown)


@plan.command()
@click.option("--mesh", required=True, metavar="NAME", help="The mesh whose root, or issuer, is replaced.")
@click.option("--issuer-only", is_flag=True, help="A new issuer under the same trust anchor.")
@click.option("--back", is_flag=True, help="Return to the signer that an unfinished rotation came from.")
@_plan_options
@click.pass_context
def rotate(
    ctx: click.Context, /, inventory: Path, mesh: str, issuer_only: bool, back: bool, **shown: Any
) -> None:
    """Re-key a mesh: trust both roots, switch the signer, drain old leaves, untrust; each on a census."""
    from rollout.cli.rotate import rotation_plan

    _show(ctx, rotation_plan(inventory, mesh, issuer_only=issuer_only, back=back), **shown)


@plan.command()
@_targets_option
@click.option("--via", type=_Release(), multiple=True, help="A version to pass through.")
@inventory_option
@output_option
def path(inventory: Path, targets: Pairs, via: Pairs, output: str) -> None:
    """Only the way: which hops lead there, and which of them share a walk over the nodes."""
    from rollout.planner.way import way_of

    way = way_of(_request(inventory, Options(), targets, via))
    emit(way.document(), output, lambda: "\n".join(way.words()))


def _request(
    inventory: Path,
    options: Options | None = None,
    targets: Pairs = (),
    via: Pairs = (),
    *,
    one_jump: bool = False,
) -> Request:
    """What can be judged without asking anyone is judged before anything is contacted."""
    from rollout.cli.world import build_world
    from rollout.engine.course import handed
    from rollout.engine.observe import observe
    from rollout.planner.request import asked
    from rollout.planner.select import chosen
    from rollout.rules.book import rulebook
    from rollout.site.load import load_site

    site = load_site(inventory)
    book = rulebook(site.folder)
    world = build_world(site)
    wish = options or Options()
    _judge(book, world.roles, site.name, (*targets, *via))
    chosen(site, wish.limit)
    request = asked(site, observe(world), world.roles, *targets, options=wish)
    today = datetime.now(UTC).date()
    return replace(request, book=book, today=today, via=via, one_jump=one_jump, trust=handed(world))


def _judge(book: Any, roles: Any, site: str, releases: Pairs) -> None:
    from rollout.planner.goals import role_of
    from rollout.planner.preconditions import pinned

    for subject, version in releases:
        pinned(book, role_of(roles, subject, site).kind, version)


def _split(rest: dict[str, Any]) -> tuple[Options, dict[str, Any]]:
    """The options that the plan keeps, and those that only say how it is shown."""
    names = ("limit", "start_at", "max_fail", "break_glass")
    wishes = {name: rest.pop(name) for name in names}
    return Options(**{name: value for name, value in wishes.items() if value}), rest


def _show(ctx: click.Context, plan: Plan, output: str, out: Path | None, detailed_exitcode: bool) -> None:
    from rollout.planner.codec import dump, to_document
    from rollout.planner.render import render_plan

    if out is not None:
        out.write_text(dump(plan), encoding="utf-8")
        say(f"plan {plan.id[:12]} saved: rackroll apply {out} -i <inventory>")
    emit(to_document(plan), output, lambda: render_plan(plan))
    if detailed_exitcode and plan.steps:
        ctx.exit(EXIT_CHANGES)
