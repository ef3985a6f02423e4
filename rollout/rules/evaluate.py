"""Everything one may ask the rules. Each answer is a verdict with its arithmetic, never an exception of its own."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

from rollout.rules.book import RuleBook
from rollout.rules.jump import downgrade_verdicts, jump_verdicts
from rollout.rules.release import Release, UnknownLine, distance, place
from rollout.rules.rows import FAMILY, BehaviourRow, DrainRow, Severity
from rollout.rules.skew import skew_verdicts
from rollout.rules.support import latest_patch, line_row, lines, support_verdicts
from rollout.rules.verdict import RuleVerdict
from rollout.rules.version import Version, VersionInvalid, parse

__all__ = [
    "Release",
    "RuleVerdict",
    "Severity",
    "UnknownLine",
    "VersionInvalid",
    "artifact_verdicts",
    "distance",
    "downgrade_verdicts",
    "drain_levers",
    "jump_verdicts",
    "latest_patch",
    "line_row",
    "lines",
    "new_behaviours",
    "order_of",
    "place",
    "skew_verdicts",
    "support_verdicts",
]


def order_of(book: RuleBook, kind: str, method: str) -> tuple[str, ...]:
    """Upstream's order of steps; empty where upstream publishes none."""
    for row in book.orders:
        if row.subject == kind and row.method in (method, "any"):
            return row.steps
    return ()


def drain_levers(book: RuleBook, subject: str, version: Version | str) -> tuple[DrainRow, ...]:
    """The ways this version has to make one node stop announcing."""
    at = parse(version) if isinstance(version, str) else version
    return tuple(row for row in book.drains if row.subject == subject and _covers(row, at))


def new_behaviours(book: RuleBook, kind: str, before: str, after: str) -> tuple[BehaviourRow, ...]:
    """What a move from ``before`` to ``after`` brings: the notes that an operator should have read."""
    old, new = _numbers(book, kind, before), _numbers(book, kind, after)
    return tuple(r for r in _behaviours(book, kind) if _covers(r, new) and not _covers(r, old))


def _numbers(book: RuleBook, kind: str, text: str) -> Version:
    """A release's numbers, or its line's where upstream numbers releases by date (Linkerd's edges)."""
    release = place(book, kind, text)
    try:
        return parse(release.text)
    except VersionInvalid:
        return parse(f"{release.line}.0")


def _behaviours(book: RuleBook, kind: str) -> Iterator[BehaviourRow]:
    return (row for row in book.behaviours if row.subject in (kind, FAMILY.get(kind, kind)))


def _covers(row: DrainRow | BehaviourRow, version: Version) -> bool:
    return parse(row.since) <= version and (row.before is None or version < parse(row.before))


SOON = timedelta(days=90)
"""How long ahead of its end a location is warned of: time to mirror what a rollback needs."""


def artifact_verdicts(book: RuleBook, kind: str, location: str, today: date) -> tuple[RuleVerdict, ...]:
    """Warnings for a place of charts or images that upstream takes away, or has taken away."""
    bare = location.removeprefix("https://").removeprefix("oci://").rstrip("/") + "/"
    return tuple(
        RuleVerdict(
            row.id,
            today < row.retires - SOON,
            f"{location} ends on {row.retires.isoformat()}, today is {today.isoformat()}",
            row.fix,
            row.provenance,
            Severity.WARN,
        )
        for row in book.artifacts
        if row.subject == FAMILY.get(kind, kind) and bare.startswith(row.location.rstrip("/") + "/")
    )
