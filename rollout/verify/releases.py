"""Versions of every scheme on one line per kind, worked out from the support tables alone."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

FAR = 1000
_NUMBERS = re.compile(r"v?(\d{1,9})\.(\d{1,9})\.(\d{1,9})(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?")
_EDGE = re.compile(r"edge-(\d+)\.(\d+)\.(\d+)")
Order = tuple[Any, ...]


class Unplaced(Exception):
    """The version names no release of a known line."""


@dataclass(frozen=True, slots=True)
class Placed:
    """``index`` counts lines, ``order`` sorts within the kind, ``edition`` is the build suffix."""

    line: str
    index: int
    order: Order
    edition: str


def numbers(line: str) -> tuple[int, int]:
    """1.30, 1.30.3 and v1.30.3+k3s1 are all (1, 30)."""
    major, minor = line.removeprefix("v").split(".")[:2]
    return int(major), int(re.sub(r"\D.*", "", minor))


class Releases:
    """One kind's lines in order, numbered so that a difference counts minors."""

    def __init__(self, kind: str, support: list[dict[str, Any]]) -> None:
        self._kind = kind
        self._rows = sorted(support, key=lambda row: numbers(row["line"]))
        self.index: Mapping[str, int] = self._numbered()

    def _numbered(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for before, row in zip([None, *self._rows], self._rows, strict=False):
            if before is None:
                found[row["line"]] = 0
                continue
            old, new = numbers(before["line"]), numbers(row["line"])
            far = 1 if row.get("follows") == before["line"] else FAR
            gap = new[1] - old[1] if old[0] == new[0] else far
            found[row["line"]] = found[before["line"]] + gap
        return found

    def place(self, text: str) -> Placed:
        edge = _EDGE.fullmatch(text)
        if self._kind == "linkerd" and edge:
            return self._edge((int(edge[1]), int(edge[2]), int(edge[3])))
        return self._numbers(self._cleaned(text))

    def _cleaned(self, text: str) -> str:
        match self._kind:
            case "istio" | "istio-ambient":
                return text.removesuffix("-distroless").removesuffix("-debug")
            case "consul":
                return re.sub("-ent$", "+ent", text)
            case "linkerd":
                return re.sub(r"^(enterprise|stable)-", "", text)
            case _:
                return text

    def _numbers(self, text: str) -> Placed:
        match = _NUMBERS.fullmatch(text)
        line = f"{int(match[1])}.{int(match[2])}" if match else ""
        if match is None or line not in self.index:
            raise Unplaced(f"{self._kind} {text} is of no known line")
        pre = match[4] or ""
        parts = tuple((not p.isdigit(), int(p) if p.isdigit() else 0, p) for p in pre[1:].split("."))
        order = (self.index[line], 1, int(match[3]), not pre, parts)
        return Placed(line, self.index[line], order, (match[5] or "")[1:])

    def _edge(self, edge: tuple[int, int, int]) -> Placed:
        """Belongs to the newest line whose first edge is not younger."""
        first = {row["line"]: _EDGE.fullmatch(row.get("edge", "")) for row in self._rows}
        starts = {line: tuple(map(int, m.groups())) for line, m in first.items() if m}
        begun = [line for line, start in starts.items() if start <= edge]
        if not begun:
            raise Unplaced(f"edge {edge} is older than every known line")
        line = max(begun, key=lambda name: starts[name])
        return Placed(line, self.index[line], (self.index[line], 0, edge), "")


def own_numbers(text: str) -> Placed:
    """A component that no table lists (Consul's chart)."""
    match = _NUMBERS.fullmatch(text)
    if match is None:
        raise Unplaced(text)
    index = int(match[1]) * FAR + int(match[2])
    return Placed(f"{int(match[1])}.{int(match[2])}", index, (index, 1, int(match[3])), "")
