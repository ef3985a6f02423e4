"""TOML text -> rows. A row that does not fit says which table it is and what would be right."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import fields
from functools import cache
from typing import Any

from pydantic import TypeAdapter, ValidationError

from rollout.rules.rows import KINDS, AnyRow


class RowInvalid(ValueError):
    """``row`` names the table (``[[support]] number 2, ISTIO-K8S-131``), empty where the file itself is no TOML."""

    def __init__(self, row: str, problem: str) -> None:
        super().__init__(f"{row}: {problem}" if row else problem)
        self.row = row
        self.problem = problem


def read_rows(text: str, origin: str = "") -> tuple[AnyRow, ...]:
    """Raises :class:`RowInvalid` for the first row that does not fit. ``origin`` is kept in each row."""
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RowInvalid("", f"is not TOML: {error}") from None
    return tuple(_rows(tables, origin))


def _rows(tables: dict[str, Any], origin: str) -> Iterator[AnyRow]:
    for kind, found in tables.items():
        if kind not in KINDS:
            raise RowInvalid(f"[[{kind}]]", f"is no kind of row; expected one of: {', '.join(KINDS)}")
        if not isinstance(found, list):
            raise RowInvalid(f"[{kind}]", f"expected a list of tables, written [[{kind}]]")
        for number, row in enumerate(found, start=1):
            yield _row(kind, number, row, origin)


def _row(kind: str, number: int, row: Any, origin: str) -> AnyRow:
    name = f"[[{kind}]] number {number}"
    if not isinstance(row, dict):
        raise RowInvalid(name, "expected a table of keys and values")
    if isinstance(row.get("id"), str):
        name += f", {row['id']}"
    if "origin" in row:
        raise RowInvalid(name, "origin: is set by the program; expected no such key")
    try:
        built: AnyRow = _adapter(kind).validate_python({**row, "origin": origin})
    except ValidationError as error:
        raise RowInvalid(name, "; ".join(_problems(error, kind))) from None
    return built


@cache
def _adapter(kind: str) -> TypeAdapter[Any]:
    return TypeAdapter(KINDS[kind])


def _problems(error: ValidationError, kind: str) -> Iterator[str]:
    keys = ", ".join(field.name for field in fields(KINDS[kind]) if field.name != "origin")
    for problem in error.errors(include_url=False, include_context=False):
        where = ".".join(str(part) for part in problem["loc"])
        match problem["type"]:
            case "unexpected_keyword_argument" if len(problem["loc"]) == 1:
                yield f"{where}: is no key of such a row; expected one of: {keys}"
            case "unexpected_keyword_argument":
                yield f"{where}: is no key that belongs there"
            case "missing":
                yield f"{where}: is missing, and required"
            case _:
                text = problem["msg"].removeprefix("Value error, ")
                yield f"{where}: {text}" if where else text
