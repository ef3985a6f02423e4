"""Jumps: how far one hop may go, and what an upgrade may never undo."""

from __future__ import annotations

from collections.abc import Iterator

from rollout.rules.book import RuleBook
from rollout.rules.release import OUT_OF_REACH, Release, distance, leaps, place
from rollout.rules.rows import JumpRow, Severity
from rollout.rules.support import latest_patch
from rollout.rules.verdict import RuleVerdict


def jump_verdicts(book: RuleBook, kind: str, method: str, before: str, after: str) -> tuple[RuleVerdict, ...]:
    """Up or down. Going down a line fails where upstream does not support it (no ``down`` in the row).

    Raises VersionInvalid or UnknownLine for a version that cannot be placed.
    """
    start, goal = place(book, kind, before), place(book, kind, after)
    rows = [row for row in book.jumps if row.subject == kind and row.method in (method, "any")]
    return tuple(verdict for row in rows for verdict in _verdicts(book, row, start, goal))


def _verdicts(book: RuleBook, row: JumpRow, before: Release, after: Release) -> Iterator[RuleVerdict]:
    step = distance(before, after)
    down = row.down or 0
    exempt = leaps(row.exceptions, before, after)
    holds = -down <= step <= row.up or exempt
    text = f"{before} -> {after} is {_minors(step)}, allowed {-down}..+{row.up} in one hop"
    if step < 0 and row.down is None:
        text += "; upstream does not support going down a line"
    if exempt:
        text += f", and upstream's exception covers it: {row.note}"
    yield RuleVerdict(row.id, holds, text, row.fix, row.provenance)
    if row.latest_patch_first and step:
        yield from _latest_first(book, row, before)


def _latest_first(book: RuleBook, row: JumpRow, before: Release) -> Iterator[RuleVerdict]:
    latest = latest_patch(book, row.subject, before.line)
    if latest is None:
        return
    holds = before >= place(book, row.subject, latest)
    text = f"{before} is left for another minor; the newest seen patch of {before.line} is {latest}"
    fix = f"go to {latest} first"
    yield RuleVerdict(row.id, holds, text, fix, row.provenance, Severity.WARN)


def _minors(count: int) -> str:
    if abs(count) >= OUT_OF_REACH:
        return "another major"
    return f"{abs(count)} minor{'' if abs(count) == 1 else 's'}{' down' if count < 0 else ''}"


def downgrade_verdicts(book: RuleBook, kind: str, running: str, after: str) -> tuple[RuleVerdict, ...]:
    """For upgrade plans only. ``running`` is the newest version seen anywhere, control plane or data plane."""
    low, goal = place(book, kind, running), place(book, kind, after)
    return tuple(
        RuleVerdict(row.id, goal >= low, f"{goal} against {low}, which runs", row.fix, row.provenance)
        for row in book.downgrades
        if row.subject == kind
    )
