"""``rackroll status``: the current or last run of a site, also while another process moves it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rollout.cli.options import inventory_option, output_option
from rollout.cli.output import emit

if TYPE_CHECKING:
    from rollout.engine.run import RunStatus

_MARKS = {"done": "✓", "already": "=", "held": "‖", "failed": "✗", "interrupted": "‖"}


@click.command()
@inventory_option
@output_option
def status(inventory: Path, output: str) -> None:
    """Show the current or last run of a site."""
    from rollout.engine.run import status as read_status
    from rollout.site.load import load_site

    site = load_site(inventory)
    found = read_status(site)
    if found is None:
        emit(
            None,
            output,
            lambda: f"{site.name}: no run yet; `rackroll plan bringup -i {inventory}` is the first",
        )
        return
    emit(_document(found), output, lambda: _table(found))


def _document(run: RunStatus) -> dict[str, Any]:
    return {
        "run": run.run,
        "plan": run.plan,
        "kind": run.kind,
        "site": run.site,
        "started": run.started,
        "state": run.word,
        "detail": run.detail,
        "steps": {"done": run.steps_done, "total": run.steps_total},
        "current": run.current.key if run.current else None,
        "holder": str(run.holder) if run.holder else None,
        "leftHalfDone": list(run.left),
        "gateways": {"minInRib": run.min_in_rib},
    }


def _table(run: RunStatus) -> str:
    head = f"{run.site}: {run.kind} {run.run} is {run.word}, {run.steps_done} of {run.steps_total} steps"
    lines = [head, f"started {run.started}"]
    wave = ""
    for step in run.steps:
        if step.wave != wave:
            wave = step.wave
            lines.append(f"  {wave}")
        current = run.current is not None and step.number == run.current.number
        mark = _MARKS.get(step.word or "", "▸" if current else "·")
        lines.append(f"    {mark} {step.number:3} {step.title}")
    lines += [f"left half-done: {line}" for line in run.left]
    return "\n".join(lines + ([run.detail] if run.detail else []))
