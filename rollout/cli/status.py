"""``rackroll status``: the current or last run of a site, also while another process moves it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rollout.cli.options import inventory_option, output_option
from rollout.cli.output import emit

if TYPE_CHECKING:
    from rollout.engine.status import RunStatus, StepView, WaveView

_MARKS = {"done": "✓", "already": "=", "held": "‖", "failed": "✗", "interrupted": "‖", "skipped": "⤼"}


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
        "hold": run.hold or None,
        "rollsBack": run.undoes or None,
        "rolledBackBy": run.undone_by or None,
        "steps": {
            "done": run.steps_done,
            "total": run.steps_total,
            "list": [_step_document(step) for step in run.steps],
        },
        "waves": [
            {"name": w.name, "racks": list(w.racks), "done": w.done, "total": w.total} for w in run.waves
        ],
        "current": run.current.key if run.current else None,
        "holder": str(run.holder) if run.holder else None,
        "leftHalfDone": list(run.left),
        "putAside": list(run.aside),
        "gateways": {"minInRib": run.min_in_rib},
        "probesLost": run.lost,
    }


def _step_document(step: StepView) -> dict[str, Any]:
    """``state`` null: not begun, or under way if it is the current one."""
    return {
        "number": step.number,
        "key": step.key,
        "wave": step.wave,
        "stage": step.stage,
        "title": step.title,
        "state": step.word,
        "seconds": step.seconds,
        "detail": step.detail,
    }


def _table(run: RunStatus) -> str:
    """Every wave as one line, and the steps only of those that are neither done nor yet to begin."""
    head = f"{run.site}: {run.kind} {run.run} is {run.word}, {run.steps_done} of {run.steps_total} steps"
    lines = [head, f"started {run.started}", *_lineage(run)]
    for wave in run.waves:
        lines.append(f"  {_wave_mark(wave)} {wave.name}: {wave.done} of {wave.total}")
        if wave.done < wave.total and (wave.done or _holds_current(run, wave)):
            lines += [_step(run, step) for step in run.steps if step.wave == wave.name]
    lines += [f"left half-done: {line}" for line in run.left]
    lines += [f"put aside after a failure: {', '.join(run.aside)}"] if run.aside else []
    return "\n".join(lines + ([run.detail] if run.detail else []))


def _lineage(run: RunStatus) -> list[str]:
    return [
        *([f"rolls back run {run.undoes}"] if run.undoes else []),
        *([f"rolled back by run {run.undone_by}"] if run.undone_by else []),
        *([f"hold: {run.hold}"] if run.hold else []),
        *([f"moved by {run.holder}"] if run.holder else []),
    ]


def _wave_mark(wave: WaveView) -> str:
    return "✓" if wave.done == wave.total else "▸" if wave.done else "·"


def _holds_current(run: RunStatus, wave: WaveView) -> bool:
    return run.current is not None and run.current.wave == wave.name


def _step(run: RunStatus, step: StepView) -> str:
    current = run.current is not None and step.number == run.current.number
    mark = _MARKS.get(step.word or "", "▸" if current else "·")
    return f"    {mark} {step.number:3} {step.title}"
