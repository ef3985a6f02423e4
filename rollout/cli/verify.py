"""``rackroll verify``: a plan file checked by code that shares nothing with the planner."""

from __future__ import annotations

from pathlib import Path

import click

from rollout.cli.options import output_option
from rollout.cli.output import emit

EXIT_REFUSED = 3


@click.command()
@click.argument("plan", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--inventory",
    "-i",
    type=click.Path(exists=True, path_type=Path),
    help="Site folder (or its site.yaml), for the site's own rules.",
)
@output_option
@click.pass_context
def verify(ctx: click.Context, plan: Path, inventory: Path | None, output: str) -> None:
    """Recompute every state of a saved plan from its start, and judge it by the rules' data alone.

    Contacts nothing. Exit 0 with what was checked, exit 3 with the first counterexample.
    """
    from rollout.errors import RackrollError
    from rollout.verify.check import check
    from rollout.verify.data import read_rules
    from rollout.verify.finding import Counterexample

    try:
        text = plan.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        hint = "name the file that `rackroll plan ... --out` wrote"
        raise RackrollError(f"cannot read the plan: {error}", where=str(plan), hint=hint) from None
    try:
        checked = check(text, read_rules(_folder(inventory)))
    except Counterexample as found:
        words = (found.rule, found.message, found.step, found.state)
        document = {"verified": False, **dict(zip(("rule", "message", "step", "state"), words, strict=True))}
        emit(document, output, lambda: _refuted(str(plan), *words))
        ctx.exit(EXIT_REFUSED)
    document = {"verified": True, "plan": checked.plan, "checked": checked.counts, "notes": checked.notes}
    emit(document, output, lambda: _verified(checked.plan, checked.counts, checked.notes))


def _folder(inventory: Path | None) -> Path | None:
    return inventory.parent if inventory is not None and inventory.is_file() else inventory


def _verified(plan: str, counts: dict[str, int], notes: list[str]) -> str:
    lines = [f"plan {plan[:12]} verified: nothing found against it"]
    lines += [f"  {count:8,} {name}" for name, count in counts.items()]
    lines += [f"  note: {note}" for note in notes]
    return "\n".join(lines) + "\n"


def _refuted(where: str, rule: str, message: str, step: str, state: str) -> str:
    lines = [f"{where}: NOT verified: {rule}: {message}"]
    lines += [f"  step:  {step}"] if step else []
    lines += [f"  state: {state}"] if state else []
    lines.append("  next: make the plan again with `rackroll plan ... --out`; if it is fresh, report it")
    return "\n".join(lines) + "\n"
