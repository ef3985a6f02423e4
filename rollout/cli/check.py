"""``rackroll check``: what the gates would say now, without moving anything."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rollout.cli.options import inventory_option, output_option
from rollout.cli.output import emit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rollout.checks.registry import Check
    from rollout.model.gate import Finding
    from rollout.model.site import Site

_MARKS = {"open": "✓", "closed": "✗", "inconclusive": "?"}


def _list(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    if not value:
        return
    from rollout.checks.catalogue import catalogue

    for check in catalogue().values():
        click.echo(f"{check.id:16} {check.says}{_remarks(check)}")
    ctx.exit(0)


@click.command()
@click.argument("ids", nargs=-1, metavar="[ID]...")
@click.option("--node", help="Ask as the gates would before this node moves; else about the whole site.")
@click.option(
    "--plan",
    "plan_file",
    type=click.Path(path_type=Path),
    help="Ask as this saved plan's gates would (its pods, versions, break-glass).",
)
@click.option(
    "--list", is_flag=True, is_eager=True, expose_value=False, callback=_list, help="List the checks."
)
@inventory_option
@output_option
@click.pass_context
def check(
    ctx: click.Context,
    ids: tuple[str, ...],
    node: str | None,
    plan_file: Path | None,
    inventory: Path,
    output: str,
) -> None:
    """Ask the checks (all of them, or those named) what they see now; changes nothing.

    A rollout asks the same ones as its gates. Exit code 0: all open; 2: something is closed; 4: nothing is
    closed, but something could not be told.
    """
    from rollout.cli.world import build_world
    from rollout.engine.aims import aims
    from rollout.engine.check import check_site, tally
    from rollout.planner.codec import read_plan
    from rollout.site.load import load_site

    checks = _chosen(ids)
    site = load_site(inventory)
    _known(site, node)
    findings = check_site(build_world(site), checks, node, aims(read_plan(plan_file)) if plan_file else None)
    emit(_document(site, node, findings), output, lambda: _table(site, node, findings))
    ctx.exit(tally(findings).exit_code)


def _chosen(ids: tuple[str, ...]) -> tuple[Check, ...]:
    from rollout.checks.catalogue import catalogue
    from rollout.engine.check import standing

    known = catalogue()
    for id in ids:
        if id.upper() not in known:
            near = difflib.get_close_matches(id.upper(), known, n=1)
            guess = f"did you mean {near[0]}? " if near else ""
            raise click.UsageError(f"there is no check {id}: {guess}`rackroll check --list` names them")
    return tuple(known[id.upper()] for id in dict.fromkeys(ids)) or standing()


def _known(site: Site, node: str | None) -> None:
    names = [each.name for each in site.nodes]
    if node is not None and node not in names:
        near = difflib.get_close_matches(node, names, n=1)
        guess = f"; did you mean {near[0]}?" if near else ""
        raise click.UsageError(f"--node {node}: site {site.name} has no such node{guess}")


def _document(site: Site, node: str | None, findings: Sequence[Finding]) -> dict[str, Any]:
    from rollout.engine.check import tally

    counts = tally(findings)
    return {
        "site": site.name,
        "node": node,
        "open": counts.opened,
        "closed": counts.closed,
        "inconclusive": counts.inconclusive,
        "findings": [
            {"check": f.check, "verdict": f.verdict.value, "detail": f.detail, "hint": f.hint}
            for f in findings
        ],
    }


def _table(site: Site, node: str | None, findings: Sequence[Finding]) -> str:
    from rollout.engine.check import tally

    lines: list[str] = []
    for finding in findings:
        mark = _MARKS[finding.verdict.value]
        lines.append(f"{mark} {finding.check:16} {finding.verdict.value:12} {finding.detail}")
        lines += [f"    next: {finding.hint}"] if finding.hint else []
    counts, about = tally(findings), f"{site.name}, before {node} moves" if node else site.name
    tail = f"{counts.opened} open, {counts.closed} closed, {counts.inconclusive} inconclusive"
    return "\n".join((*lines, f"{about}: {tail}"))


def _remarks(check: Check) -> str:
    remarks = [] if check.standing else ["only in a move, or by name"]
    remarks += ["break-glass opens it"] if check.breakable else []
    return f" ({'; '.join(remarks)})" if remarks else ""
