"""A run's end on stdout, the same for every command that drives one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rollout.cli.output import emit, say

if TYPE_CHECKING:
    from rollout.engine.run import RunOutcome


def finish(ctx: click.Context, outcome: RunOutcome, output: str, inventory: Path) -> None:
    """Show it and exit with its code; a run that stopped says how to go on."""
    emit(_document(outcome), output, lambda: _sentence(outcome))
    if outcome.step is not None:
        say(f"rackroll: to go on: rackroll resume -i {inventory}")
    ctx.exit(outcome.exit_code)


def _document(outcome: RunOutcome) -> dict[str, Any]:
    return {
        "run": outcome.run,
        "outcome": outcome.word.value,
        "exitCode": outcome.exit_code,
        "rollsBack": outcome.undoes or None,
        "detail": outcome.detail,
        "steps": {"done": outcome.steps_done, "total": outcome.steps_total, "stoppedAt": outcome.step},
        "findings": [
            {"check": f.check, "verdict": f.verdict.value, "detail": f.detail, "hint": f.hint}
            for f in outcome.findings
        ],
        "leftHalfDone": list(outcome.left),
        "putAside": list(outcome.aside),
        "gateways": {"total": outcome.gateways_total, "minInRib": outcome.min_in_rib},
        "changed": dict(outcome.counts),
    }


def _sentence(outcome: RunOutcome) -> str:
    head = f"run {outcome.run}: {outcome.word.value}, {outcome.steps_done} of {outcome.steps_total} steps"
    back = [f"run {outcome.undoes} is rolled back"] if outcome.undoes and outcome.step is None else []
    hints = [f"  {f.check}: {f.detail}; {f.hint}" for f in outcome.findings]
    return "\n".join([head, *back, *([outcome.detail] if outcome.detail else []), *hints])
