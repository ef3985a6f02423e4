"""The rules' data files as TOML says them, and versions as numbers: the ground for oracles that share no code with the
planner, the rules' evaluator or the verifier."""

from __future__ import annotations

import re
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import rollout.rules

DATA = Path(rollout.rules.__file__).parent / "data"
FAR = 1000
_SEMVER = re.compile(r"v?(\d{1,9})\.(\d{1,9})\.(\d{1,9})(?:-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?")
_EDGE = re.compile(r"edge-(\d\d)\.(\d{1,2})\.(\d{1,4})")

Row = dict[str, Any]


@cache
def rows(table: str) -> tuple[Row, ...]:
    """Every ``[[table]]`` row of every data file."""
    files = (tomllib.loads(file.read_text(encoding="utf-8")) for file in sorted(DATA.glob("*.toml")))
    return tuple(row for file in files for row in file.get(table, ()))


def family(kind: str) -> str:
    return "istio" if kind == "istio-ambient" else kind


def lines(kind: str) -> list[Row]:
    """Support rows of a kind, oldest first."""
    found = [row for row in rows("support") if row["subject"] == family(kind)]
    return sorted(found, key=lambda row: _pair(row["line"]))


def readable(kind: str, version: str) -> bool:
    """Whether the text names exactly one release in one of the kind's schemes."""
    if kind == "linkerd" and _EDGE.fullmatch(version):
        return True
    bare = version.removeprefix("enterprise-").removeprefix("stable-") if kind == "linkerd" else version
    return _SEMVER.fullmatch(bare.strip()) is not None


def line_of(kind: str, version: str) -> str | None:
    """The line a readable version belongs to; None for a line that no row knows."""
    edge = _EDGE.fullmatch(version) if kind == "linkerd" else None
    known = lines(kind)
    if edge:
        started = [
            row for row in known if "edge" in row and _edge(row["edge"]) <= tuple(map(int, edge.groups()))
        ]
        return str(started[-1]["line"]) if started else None
    numbers = _numbers(version)
    line = f"{numbers[0]}.{numbers[1]}"
    return line if any(row["line"] == line for row in known) else None


def place(kind: str, version: str) -> tuple[int, tuple[int, ...]]:
    """Sorts versions of a kind; the first number counts minors, across majors as far as the rows connect them."""
    line = line_of(kind, version)
    index = 0
    for before, row in zip([None, *lines(kind)], lines(kind), strict=False):
        index += _step(before, row)
        if row["line"] == line:
            break
    edge = _EDGE.fullmatch(version)
    return index, tuple(map(int, edge.groups())) if edge else _numbers(version)


def _step(before: Row | None, row: Row) -> int:
    if before is None:
        return 0
    (major, minor), (next_major, next_minor) = _pair(before["line"]), _pair(row["line"])
    if major == next_major:
        return next_minor - minor
    return 1 if row.get("follows") == before["line"] else FAR


def minors(kind: str, low: str, high: str) -> int:
    return place(kind, high)[0] - place(kind, low)[0]


def _numbers(version: str) -> tuple[int, ...]:
    found = re.search(r"(\d+)\.(\d+)\.(\d+)", version)
    assert found, version
    return tuple(map(int, found.groups()))


def _edge(text: str) -> tuple[int, ...]:
    found = _EDGE.fullmatch(text)
    assert found, text
    return tuple(map(int, found.groups()))


def _pair(line: str) -> tuple[int, int]:
    major, minor = line.removeprefix("v").split(".")[:2]
    return int(major), int(minor)


def allows(row: Row, kubernetes: str) -> bool:
    """Whether every source of a support row that refuses allows this Kubernetes."""
    at = _pair(kubernetes)
    said = [row, *row.get("claims", ())]
    ranges = [one["kubernetes"] for one in said if "kubernetes" in one and one.get("severity") != "warn"]
    above = "code_floor" not in row or "kubernetes" not in row or at >= _pair(row["code_floor"])
    return above and all(_pair(low) <= at <= _pair(high) for low, high in ranges)
