"""A site's own rows over ours: ``<site>/rules/*.toml``, the same format as our data files."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

from rollout.errors import SiteInvalid
from rollout.rules.reading import RowInvalid, read_rows
from rollout.rules.rows import AnyRow, SupportRow, kind_of
from rollout.rules.shape import edge_numbers
from rollout.rules.version import minor_pair

FOLDER = "rules"
LARGEST = 1024 * 1024


class RulesInvalid(SiteInvalid):
    """A site's rule file does not fit; nothing was contacted."""


def site_files(folder: Path) -> tuple[tuple[Path, str], ...]:
    """The site's rule files by name, with their text; none where the site has no such folder."""
    place = folder / FOLDER
    try:
        found = sorted(place.glob("*.toml")) if place.is_dir() else []
        return tuple((file, _text(file)) for file in found)
    except OSError as error:
        text = f"cannot be read: {error.strerror}"
        raise RulesInvalid(text, where=str(place), hint="correct its owner or mode") from None


def _text(file: Path) -> str:
    if file.stat().st_size > LARGEST:
        raise _invalid(file, "", f"is larger than {LARGEST} bytes")
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise _invalid(file, "", "is not UTF-8") from None


def overlay(
    ours: tuple[AnyRow, ...], files: tuple[tuple[Path, str], ...]
) -> tuple[tuple[AnyRow, ...], Mapping[str, AnyRow]]:
    """All rows in force, and our own row for each id that the site replaced."""
    base = {row.id: row for row in ours}
    theirs: dict[str, AnyRow] = {}
    for file, text in files:
        for row in _read(file, text):
            _require_fit(file, row, base, theirs)
            theirs[row.id] = row
    kept = tuple(theirs.get(row.id, row) for row in ours)
    rows = (*kept, *(row for id_, row in theirs.items() if id_ not in base))
    for file, _ in files:
        _require_order(file, rows)
    return rows, {id_: base[id_] for id_ in theirs if id_ in base}


def _read(file: Path, text: str) -> tuple[AnyRow, ...]:
    try:
        return read_rows(text, origin=f"{FOLDER}/{file.name}")
    except RowInvalid as error:
        raise _invalid(file, error.row, error.problem) from None


def _require_fit(file: Path, row: AnyRow, base: Mapping[str, AnyRow], theirs: Mapping[str, AnyRow]) -> None:
    name = f"[[{kind_of(row)}]] {row.id}"
    if row.id in theirs:
        raise _invalid(file, name, f"stands in {theirs[row.id].origin} already; expected one row per id")
    old = base.get(row.id)
    if old is not None and (kind_of(old), old.subject) != (kind_of(row), row.subject):
        what = f"[[{kind_of(old)}]] of {old.subject}"
        raise _invalid(
            file, name, f"has the id of our {what}; expected the same kind and subject, or a new id"
        )
    if isinstance(row, SupportRow):
        _require_line(file, name, row, (*base.values(), *theirs.values()))


def _require_line(file: Path, name: str, row: SupportRow, known: tuple[AnyRow, ...]) -> None:
    for other in known:
        if not isinstance(other, SupportRow) or other.id == row.id:
            continue
        if (other.subject, other.line) == (row.subject, row.line):
            raise _invalid(file, name, f"line {row.line} is {other.id}'s; expected that id, to override it")


def _require_order(file: Path, rows: tuple[AnyRow, ...]) -> None:
    """Linkerd's lines start with later and later edges, or an edge would belong to two of them."""
    started = [row for row in rows if isinstance(row, SupportRow) and row.edge is not None]
    started.sort(key=lambda row: minor_pair(row.line))
    for old, new in pairwise(started):
        mine = next((row for row in (new, old) if row.origin == f"{FOLDER}/{file.name}"), None)
        if mine is not None and edge_numbers(new.edge or "") <= edge_numbers(old.edge or ""):
            what = (
                f"line {new.line} starts at {new.edge}, line {old.line} at {old.edge}; expected a later edge"
            )
            raise _invalid(file, f"[[support]] {mine.id}", what)


def _invalid(file: Path, row: str, problem: str) -> RulesInvalid:
    hint = "correct that row and run the command again; the format is in docs/decisions/rules-are-data.md"
    return RulesInvalid(f"{row}: {problem}" if row else problem, where=str(file), hint=hint)
