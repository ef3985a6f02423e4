"""All rows together: our own data, extended or overridden by ``<site>/rules/*.toml``."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cache, cached_property
from importlib import resources
from pathlib import Path

from rollout.rules.overlay import overlay, site_files
from rollout.rules.reading import read_rows
from rollout.rules.rows import (
    FAMILY,
    AnyRow,
    ArtifactRow,
    BehaviourRow,
    DowngradeRow,
    DrainRow,
    JumpRow,
    OrderRow,
    PairRow,
    Provenance,
    SkewRow,
    SupportRow,
)

__all__ = ["Provenance", "RuleBook", "book", "rulebook"]


@dataclass(frozen=True, eq=False)
class RuleBook:
    """``overridden`` holds our own row for every id that the site replaced. ``digest`` is of all the files read.

    Compared by identity, so that it can key a cache.
    """

    rows: tuple[AnyRow, ...]
    digest: str
    overridden: Mapping[str, AnyRow] = field(default_factory=dict)

    @cached_property
    def skews(self) -> tuple[SkewRow, ...]:
        return tuple(row for row in self.rows if isinstance(row, SkewRow))

    @cached_property
    def jumps(self) -> tuple[JumpRow, ...]:
        return tuple(row for row in self.rows if isinstance(row, JumpRow))

    @cached_property
    def downgrades(self) -> tuple[DowngradeRow, ...]:
        return tuple(row for row in self.rows if isinstance(row, DowngradeRow))

    @cached_property
    def orders(self) -> tuple[OrderRow, ...]:
        return tuple(row for row in self.rows if isinstance(row, OrderRow))

    @cached_property
    def support(self) -> tuple[SupportRow, ...]:
        return tuple(row for row in self.rows if isinstance(row, SupportRow))

    @cached_property
    def pairs(self) -> tuple[PairRow, ...]:
        return tuple(row for row in self.rows if isinstance(row, PairRow))

    @cached_property
    def drains(self) -> tuple[DrainRow, ...]:
        return tuple(row for row in self.rows if isinstance(row, DrainRow))

    @cached_property
    def behaviours(self) -> tuple[BehaviourRow, ...]:
        return tuple(row for row in self.rows if isinstance(row, BehaviourRow))

    @cached_property
    def artifacts(self) -> tuple[ArtifactRow, ...]:
        return tuple(row for row in self.rows if isinstance(row, ArtifactRow))

    @property
    def ids(self) -> tuple[str, ...]:
        return tuple(row.id for row in self.rows)

    def find(self, id_: str) -> AnyRow | None:
        return next((row for row in self.rows if row.id == id_), None)

    def as_of(self, kind: str) -> date:
        """The oldest date among the kind's rows that decide and can still change.

        The table of a line that had ended when it was read is not edited any more.
        """
        return min(row.date for row in self._of(kind) if isinstance(row, _DECIDING) and not _ended(row))

    def oldest(self, kinds: Collection[str]) -> date:
        return min(self.as_of(kind) for kind in kinds)

    def _of(self, kind: str) -> Iterator[AnyRow]:
        family = FAMILY.get(kind, kind)
        for row in self.rows:
            if row.subject == kind or (row.subject == family and isinstance(row, SupportRow)):
                yield row


_DECIDING = (SkewRow, JumpRow, PairRow, SupportRow)


def _ended(row: AnyRow) -> bool:
    return isinstance(row, SupportRow) and row.eol is not None and row.eol < row.date


@cache
def book() -> RuleBook:
    """Our own data files; read once. A malformed file is a bug, so it raises plainly."""
    texts = tuple(_texts())
    return RuleBook(tuple(row for text in texts for row in read_rows(text)), _digest(texts))


def rulebook(site_folder: Path | None = None) -> RuleBook:
    """Ours plus the site's: a row with a known id overrides it, a new id extends.

    Raises :class:`rollout.rules.overlay.RulesInvalid` (file, row, what is expected) for a site file that does not fit.
    """
    ours = book()
    files = site_files(site_folder) if site_folder is not None else ()
    if not files:
        return ours
    rows, overridden = overlay(ours.rows, files)
    return RuleBook(rows, _digest((ours.digest, *(text for _, text in files))), overridden)


def _texts() -> Iterator[str]:
    folder = resources.files("rollout.rules") / "data"
    for entry in sorted(folder.iterdir(), key=lambda e: e.name):
        if entry.name.endswith(".toml"):
            yield entry.read_text(encoding="utf-8")


def _digest(texts: Collection[str]) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()
