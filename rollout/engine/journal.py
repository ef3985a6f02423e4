"""What a run remembers, as a port: two verbs (own the site, drive a run) and what status needs to read."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from enum import StrEnum
from threading import Event
from typing import Protocol

from rollout.engine.execute import Once
from rollout.engine.outcome import StepOutcome
from rollout.model.plan import Plan

Body = Callable[[Once], StepOutcome | None]


class Fate(StrEnum):
    """What became of a recorded run. ``unfinished`` covers running, held, failed, interrupted and killed."""

    UNFINISHED = "unfinished"
    DONE = "done"
    ABANDONED = "abandoned"


@dataclass(frozen=True, slots=True)
class RunEntry:
    """A run by name only: old runs are listed without reading plans that another version may have written."""

    id: str
    started: str


@dataclass(frozen=True, slots=True)
class RunRecord:
    """``id`` is the plan's id shortened, and which attempt at that plan it is; ``started`` is ISO 8601 in UTC."""

    id: str
    plan: Plan
    started: str

    @property
    def entry(self) -> RunEntry:
        return RunEntry(self.id, self.started)


@dataclass(frozen=True, slots=True)
class StepRecord:
    name: str
    outcome: StepOutcome

    @property
    def number(self) -> int:
        return int(self.name.split(" ", 1)[0])


class Journal(Protocol):
    def owned(self, run: str) -> AbstractContextManager[None]:
        """While it is held nobody else moves this site. Raises LockHeld, which names the holder."""
        ...

    def runs(self) -> tuple[RunEntry, ...]:
        """Oldest first."""
        ...

    def load(self, run: str) -> RunRecord:
        """Raises PlanRefused if the stored plan was edited, or written in another format."""
        ...

    def add(self, record: RunRecord) -> None: ...
    def fate(self, run: str) -> Fate: ...
    def records(self, run: str) -> tuple[StepRecord, ...]: ...
    def drive(self, run: str, body: Body, stop: Event) -> StepOutcome | None:
        """Call ``body`` with this run's :class:`Once`. If it returns None the run is done, else it stays
        unfinished and a later ``drive`` goes on. Ctrl-C sets ``stop`` and waits for the body to come home."""
        ...

    def abandon(self, run: str) -> None: ...


class MemoryJournal:
    """Forgets with its process: for unit tests and for the simulated demo."""

    def __init__(self) -> None:
        self._runs: dict[str, RunRecord] = {}
        self._fates: dict[str, Fate] = {}
        self._records: dict[str, dict[str, StepOutcome]] = {}

    def owned(self, run: str) -> AbstractContextManager[None]:
        del run
        return nullcontext()

    def runs(self) -> tuple[RunEntry, ...]:
        return tuple(record.entry for record in self._runs.values())

    def load(self, run: str) -> RunRecord:
        return self._runs[run]

    def add(self, record: RunRecord) -> None:
        self._runs[record.id] = record
        self._fates[record.id] = Fate.UNFINISHED
        self._records[record.id] = {}

    def fate(self, run: str) -> Fate:
        return self._fates[run]

    def records(self, run: str) -> tuple[StepRecord, ...]:
        return tuple(StepRecord(name, outcome) for name, outcome in self._records[run].items())

    def drive(self, run: str, body: Body, stop: Event) -> StepOutcome | None:
        del stop
        stopped = body(self._once(run))
        if stopped is None:
            self._fates[run] = Fate.DONE
        return stopped

    def abandon(self, run: str) -> None:
        self._fates[run] = Fate.ABANDONED

    def _once(self, run: str) -> Once:
        recorded = self._records[run]

        def once(name: str, make: Callable[[], StepOutcome]) -> tuple[StepOutcome, bool]:
            if name in recorded:
                return recorded[name], False
            recorded[name] = make()
            return recorded[name], True

        return once
