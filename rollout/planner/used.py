"""The rules a proof leans on, written into it with their numbers, so that a review needs no other file."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from dataclasses import MISSING, Field, fields, is_dataclass
from typing import Any

from rollout.model.proof import UsedRule
from rollout.rules.book import RuleBook

_NOT_NUMBERS = frozenset(
    {"id", "source", "date", "confidence", "origin", "provenance", "fix", "note", "conflict"}
)


def used_rules(book: RuleBook, ids: Collection[str]) -> tuple[UsedRule, ...]:
    return tuple(_used(row) for row in sorted(book.rows, key=lambda row: row.id) if row.id in ids)


def _used(row: Any) -> UsedRule:
    origin = row.provenance
    numbers = tuple(f"{name}={json.dumps(value)}" for name, value in _stated(row) if name not in _NOT_NUMBERS)
    return UsedRule(row.id, numbers, origin.source, origin.date.isoformat(), origin.confidence)


def _stated(row: Any) -> Iterator[tuple[str, Any]]:
    """What the row's file says: fields at their default are as good as not written."""
    for field in fields(row):
        value = getattr(row, field.name)
        if value != _default(field):
            yield field.name, _json(value)


def _default(field: Field[Any]) -> Any:
    return field.default if field.default is not MISSING else MISSING


def _json(value: Any) -> Any:
    if is_dataclass(value):
        return dict(_stated(value))
    if isinstance(value, tuple):
        return [_json(item) for item in value]
    return value if isinstance(value, bool | int | None) else str(value)
