"""Rows for people: a table that stays readable at 100 columns, and one row explained."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator
from itertools import groupby

from rollout.rules.book import RuleBook
from rollout.rules.examples import examples
from rollout.rules.rows import AnyRow, SupportRow, kind_of
from rollout.rules.support import statements
from rollout.rules.words import PRODUCT, statement

WIDTH = 100
_ID, _ORIGIN = 20, 21
_CONFIDENCE = {
    "official": "read upstream",
    "secondary": "a dated quote of upstream",
    "derived": "our inference: test it before relying on it",
}


def table(book: RuleBook, rows: Iterable[AnyRow]) -> str:
    """By subject: id, what it says, how sure and from when. ``*`` marks that sources differ."""
    lines: list[str] = []
    for subject, group in groupby(rows, key=lambda row: row.subject):
        lines += ["", f"{PRODUCT[subject]} (oldest deciding fact: {book.as_of(subject).isoformat()})"]
        for row in group:
            lines += _entry(book, row)
    if not lines:
        return "no such rows"
    return "\n".join([*lines[1:], "", "* sources differ: `rackroll rules explain ID` has each of them"])


def _entry(book: RuleBook, row: AnyRow) -> Iterator[str]:
    says = textwrap.wrap(statement(row) + ("*" if row.conflict else ""), WIDTH - _ID - _ORIGIN - 4)
    origin = f"{row.date.isoformat()} {row.confidence}"
    for number, text in enumerate(says):
        left = f"  {row.id if number == 0 else '':<{_ID}}{text}"
        yield f"{left:<{WIDTH - _ORIGIN}} {origin}" if number == 0 else left
    for text in textwrap.wrap(_override(book, row), WIDTH - _ID - 4):
        yield f"  {'':<{_ID}}{text}"


def _override(book: RuleBook, row: AnyRow) -> str:
    if not row.origin:
        return ""
    ours = book.overridden.get(row.id)
    if ours is None:
        return f"^ {row.origin}, the site's own"
    return f"^ {row.origin}, instead of ours: {statement(ours)}"


def explain(book: RuleBook, row: AnyRow) -> str:
    """The statement, both sides of each boundary, who said it and when, who differs, who overrides it."""
    lines = [f"{row.id}: {PRODUCT[row.subject]}, {kind_of(row)}", *_block("", statement(row))]
    shown = examples(book, row)
    lines += [""] if shown else []
    for example in shown:
        lines += _block(f"{example.verdict:<9}", example.text)
    lines += ["", *_facts(book, row)]
    return "\n".join(lines)


def _facts(book: RuleBook, row: AnyRow) -> Iterator[str]:
    yield from _block("note     ", row.note)
    yield from _block("fix      ", getattr(row, "fix", ""))
    yield from _block("conflict ", row.conflict)
    for said in statements(row) if isinstance(row, SupportRow) and row.conflict else ():
        yield from _block("         ", f"- {said}: {said.severity.value}s")
    yield from _block("source   ", row.source)
    yield from _block("date     ", f"{row.date.isoformat()}, {row.confidence}: {_CONFIDENCE[row.confidence]}")
    if row.origin:
        yield from _block(
            "site     ", f"{row.origin} {'overrides ours' if row.id in book.overridden else 'adds this'}"
        )
    ours = book.overridden.get(row.id)
    if ours is not None:
        yield from _block(
            "ours     ", f"{statement(ours)} [{ours.source}, {ours.date.isoformat()}, {ours.confidence}]"
        )
    else:
        yield from _block(
            "override ", f"a [[{kind_of(row)}]] row with this id in <site>/rules/*.toml replaces it"
        )


def _block(label: str, text: str) -> list[str]:
    indent = "  " + " " * len(label)
    if not text:
        return []
    return textwrap.wrap(
        text, WIDTH, initial_indent=f"  {label}", subsequent_indent=indent, break_on_hyphens=False
    )
