"""The rules' files, read again: raw tables by kind of row, with a site's own rows over ours."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Iterable, Mapping
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Any

from rollout.verify.finding import Counterexample
from rollout.verify.releases import Releases

Row = dict[str, Any]
_FAMILY = {"istio-ambient": "istio"}
_WORDS = frozenset({"id", "source", "date", "confidence", "fix", "note", "conflict"})
_UNSAID: Mapping[str, Any] = {"severity": "refuse", "behind_ref": "newest", "lead_ref": "oldest"}
"""What a row means where it does not say."""


class Rules:
    """``overridden``: ids of ours that the site's rows replace."""

    def __init__(self, texts: Iterable[str], site: Iterable[str] = ()) -> None:
        ours, theirs = tuple(texts), tuple(site)
        self.rows: dict[str, tuple[str, Row]] = {}
        for text in ours:
            self.rows.update(_rows(text))
        own = {id_: row for text in theirs for id_, row in _rows(text).items()}
        self.overridden = sorted(own.keys() & self.rows.keys())
        self.rows.update(own)
        self.digest = _digest(ours)
        if theirs:
            self.digest = _digest((self.digest, *theirs))

    def of(self, kind_of_row: str) -> list[Row]:
        return [row for kind, row in self.rows.values() if kind == kind_of_row]

    @cached_property
    def skews(self) -> list[Row]:
        return self.of("skew")

    @cached_property
    def jumps(self) -> list[Row]:
        return self.of("jump")

    @cached_property
    def pairs(self) -> list[Row]:
        return self.of("pair")

    @cached_property
    def _support(self) -> list[Row]:
        return self.of("support")

    @cached_property
    def _releases(self) -> dict[str, Releases]:
        return {}

    def releases(self, kind: str) -> Releases:
        if kind not in self._releases:
            self._releases[kind] = Releases(kind, self.support(kind))
        return self._releases[kind]

    def support(self, kind: str) -> list[Row]:
        family = _FAMILY.get(kind, kind)
        return [row for row in self._support if row["subject"] == family]

    def compare(self, used: Row) -> None:
        """The plan's copy of a rule against the row on disk. Raises Counterexample VERIFY-RULES-01."""
        name = used["id"]
        if name not in self.rows:
            raise Counterexample(
                "VERIFY-RULES-01", f"{name} is in no rule file that was read (a site's own need -i)"
            )
        row = self.rows[name][1]
        for key in ("source", "confidence", "date"):
            if str(row[key]) != used[key]:
                raise Counterexample(
                    "VERIFY-RULES-01", f"{name} {key}: the plan says {used[key]}, the data {row[key]}"
                )
        said = dict(number.split("=", 1) for number in used["numbers"])
        found = {key: value for key, value in row.items() if key not in _WORDS and not _unsaid(key, value)}
        for key in sorted(said.keys() | found.keys()):
            here = json.loads(said[key]) if key in said else None
            there = _plain(found.get(key))
            if here != there:
                raise Counterexample(
                    "VERIFY-RULES-01", f"{name} {key}: the plan says {here}, the data {there}"
                )


def _unsaid(key: str, value: Any) -> bool:
    return value is False or value in ("", []) or _UNSAID.get(key, ...) == value


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items() if not _unsaid(key, item)}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value if isinstance(value, bool | int | None) else str(value)


def _rows(text: str) -> dict[str, tuple[str, Row]]:
    return {row["id"]: (kind, row) for kind, rows in tomllib.loads(text).items() for row in rows}


def _digest(texts: Iterable[str]) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()


def read_rules(site: Path | None) -> Rules:
    """Ours from the installed package, then ``<site>/rules/*.toml``."""
    folder = resources.files("rollout").joinpath("rules", "data")
    ours = [f for f in sorted(folder.iterdir(), key=lambda f: f.name) if f.name.endswith(".toml")]
    theirs = sorted((site / "rules").glob("*.toml")) if site is not None else []
    return Rules(
        (f.read_text(encoding="utf-8") for f in ours), [f.read_text(encoding="utf-8") for f in theirs]
    )
