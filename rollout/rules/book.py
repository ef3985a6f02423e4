"""The rules' data files as frozen rows. Every row carries where it was read and when."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib import resources
from typing import Any


@dataclass(frozen=True, slots=True)
class Provenance:
    """``confidence``: official (read upstream), secondary (a dated quote) or derived (our inference)."""

    source: str
    date: date
    confidence: str


@dataclass(frozen=True, slots=True)
class SkewRule:
    """A follower may trail its leader by ``max_behind`` minors and lead it by ``max_ahead``."""

    id: str
    subject: str
    follower: str
    leader: str
    max_behind: int
    max_ahead: int
    fix: str
    provenance: Provenance


@dataclass(frozen=True, slots=True)
class JumpRule:
    """The largest step in minors that one plan may take."""

    id: str
    subject: str
    up: int
    down: int
    fix: str
    provenance: Provenance


@dataclass(frozen=True, slots=True)
class DowngradeRule:
    id: str
    subject: str
    fix: str
    provenance: Provenance


@dataclass(frozen=True, slots=True)
class SupportRow:
    """One known release line; ``kubernetes`` is inclusive on both ends, None where upstream gives no range."""

    id: str
    subject: str
    minor: str
    kubernetes: tuple[str, str] | None
    provenance: Provenance


@dataclass(frozen=True, slots=True)
class DrainRow:
    """A way to make one node stop announcing, and the versions that have it (since inclusive, before exclusive)."""

    id: str
    subject: str
    lever: str
    since: str
    before: str | None
    note: str
    provenance: Provenance


@dataclass(frozen=True, slots=True)
class RuleBook:
    skews: tuple[SkewRule, ...]
    jumps: tuple[JumpRule, ...]
    downgrades: tuple[DowngradeRule, ...]
    support: tuple[SupportRow, ...]
    drains: tuple[DrainRow, ...]

    @property
    def ids(self) -> tuple[str, ...]:
        skews, jumps = (rule.id for rule in self.skews), (rule.id for rule in self.jumps)
        downgrades, support = (rule.id for rule in self.downgrades), (row.id for row in self.support)
        return (*skews, *jumps, *downgrades, *support, *(row.id for row in self.drains))


@cache
def book() -> RuleBook:
    """Our own data files; read once. A malformed file is a bug, so it raises plainly."""
    rules = [row for table in _tables() for row in table.get("rule", ())]
    of_kind = {kind: [r for r in rules if r["kind"] == kind] for kind in ("skew", "jump", "no-downgrade")}
    return RuleBook(
        skews=tuple(_skew(row) for row in of_kind["skew"]),
        jumps=tuple(_jump(row) for row in of_kind["jump"]),
        downgrades=tuple(
            DowngradeRule(r["id"], r["subject"], r["fix"], _provenance(r)) for r in of_kind["no-downgrade"]
        ),
        support=tuple(_support(row) for table in _tables() for row in table.get("support", ())),
        drains=tuple(_drain(row) for table in _tables() for row in table.get("drain", ())),
    )


@cache
def _tables() -> tuple[dict[str, Any], ...]:
    return tuple(tomllib.loads(text) for text in _texts())


def _texts() -> Iterator[str]:
    folder = resources.files("rollout.rules") / "data"
    for entry in sorted(folder.iterdir(), key=lambda e: e.name):
        if entry.name.endswith(".toml"):
            yield entry.read_text(encoding="utf-8")


def _provenance(row: dict[str, Any]) -> Provenance:
    return Provenance(row["source"], row["date"], row["confidence"])


def _skew(row: dict[str, Any]) -> SkewRule:
    return SkewRule(
        row["id"],
        row["subject"],
        row["follower"],
        row["leader"],
        row["max_behind"],
        row["max_ahead"],
        row["fix"],
        _provenance(row),
    )


def _jump(row: dict[str, Any]) -> JumpRule:
    return JumpRule(row["id"], row["subject"], row["up"], row["down"], row["fix"], _provenance(row))


def _support(row: dict[str, Any]) -> SupportRow:
    span = row.get("kubernetes")
    kubernetes = (span[0], span[1]) if span else None
    return SupportRow(row["id"], row["subject"], row["minor"], kubernetes, _provenance(row))


def _drain(row: dict[str, Any]) -> DrainRow:
    return DrainRow(
        row["id"],
        row["subject"],
        row["lever"],
        row["since"],
        row.get("before"),
        row["note"],
        _provenance(row),
    )
