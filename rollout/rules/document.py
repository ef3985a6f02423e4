"""Rows as plain values for JSON and YAML: every field that is set, and what it replaces."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from datetime import date
from enum import Enum
from typing import Any

from rollout.rules.book import RuleBook
from rollout.rules.examples import examples
from rollout.rules.rows import AnyRow, kind_of
from rollout.rules.words import statement


def to_document(book: RuleBook, rows: Iterable[AnyRow]) -> dict[str, Any]:
    """``asOf`` is the oldest date of what decides about each subject."""
    listed = tuple(rows)
    subjects = dict.fromkeys(row.subject for row in listed)
    return {
        "digest": book.digest,
        "asOf": {subject: book.as_of(subject).isoformat() for subject in subjects},
        "rows": [row_document(book, row) for row in listed],
    }


def row_document(book: RuleBook, row: AnyRow) -> dict[str, Any]:
    value = {
        "id": row.id,
        "kind": kind_of(row),
        "subject": row.subject,
        "says": statement(row),
        **_plain(asdict(row)),
    }
    ours = book.overridden.get(row.id)
    if ours is not None:
        value["overrides"] = {"says": statement(ours), **_plain(asdict(ours))}
    return value


def explained(book: RuleBook, row: AnyRow) -> dict[str, Any]:
    """One row with examples on both sides of its boundaries."""
    return {
        **row_document(book, row),
        "examples": [{"verdict": example.verdict, "text": example.text} for example in examples(book, row)],
    }


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items() if each not in (None, "", (), False)}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    if isinstance(value, Enum):
        return value.value
    return value.isoformat() if isinstance(value, date) else value
