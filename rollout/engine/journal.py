"""What a run remembers, as a port: two verbs (own the site, drive a run) and what status needs to read."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from enum import StrEnum
from threading import Event
from typing import Protocol

from rollout.engine.execute import Once
from rollout.engine.lock import Holder
from rollout.engine.outcome import StepOutcome
from rollout.model.plan import Plan

Body = Callable[[Once], StepOutcome | None]


class Fate(StrEnum):
    """What became of a recorded run. ``unfinished`` covers running, held, failed, interrupted and killed.

    A run is ``rolled-back`` once another run that undoes it is done, whether it was itself done or aborted.
    """

    UNFINISHED = "unfinished"
    DONE = "done"
    ABORTED = "aborted"
    ROLLED_BACK = "rolled-back"


@dataclass(frozen=True, slots=True)
class RunEntry:
    """A run by name only: old runs are listed without reading plans that another version may have written.

    ``undoes`` is the run that this one rolls back, empty for any other.
    """

    id: str
    started: str
    undoes: str = ""


@dataclass(frozen=True, slots=True)
class RunRecord:
    """``id`` is the plan's id shortened, and which attempt at that plan it is; ``started`` is ISO 8601 in UTC."""

    id: str
    plan: Plan
    started: str
    undoes: str = ""

    @property
    def entry(self) -> RunEntry:
        return RunEntry(self.id, self.started, self.undoes)


@dataclass(frozen=True, slots=True)
class StepRecord:
    name: str
    outcome: StepOutcome

    @property
    def number(self) -> int:
        return int(self.name.split(" ", 1)[0])


def undone(run: str, entries: Iterable[RunEntry], fate: Callable[[str], Fate]) -> Fate:
    """The fate of a run by its own end (``fate``) and by the runs that roll it back."""
    backs = (entry.id for entry in entries if entry.undoes == run)
    return Fate.ROLLED_BACK if any(fate(back) is Fate.DONE for back in backs) else fate(run)


class Journal(Protocol):
    def owned(self, run: str) -> AbstractContextManager[None]:
        """While it is held nobody else moves this site. Raises LockHeld, which names the holder."""
        ...

    def holder(self) -> Holder | None:
        """Who moves this site now; None if nobody does, whatever a dead process left behind."""
        ...

    def hold(self, run: str, reason: str) -> None:
        """Ask whoever drives the run, in any process, to stop at its next safe point. A later drive forgets it."""
        ...

    def hold_asked(self, run: str) -> str | None:
        """The reason of a hold that was asked for since the run was last driven."""
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
        unfinished and a later ``drive`` goes on. Ctrl-C and a hold set ``stop``; the body then comes home."""
        ...

    def abort(self, run: str) -> None:
        """The run is not resumed any more; what it left in the world stays as it is."""
        ...


class MemoryJournal:
    """Forgets with its process: for unit tests and for the simulated demo."""

    def __init__(self) -> None:
        self._runs: dict[str, RunRecord] = {}
        self._fates: dict[str, Fate] = {}
        self._records: dict[str, dict[str, StepOutcome]] = {}
        self._holds: dict[str, str] = {}

    def owned(self, run: str) -> AbstractContextManager[None]:
        del run
        return nullcontext()

    def holder(self) -> Holder | None:
        return None

    def hold(self, run: str, reason: str) -> None:
        self._holds[run] = reason

    def hold_asked(self, run: str) -> str | None:
        return self._holds.get(run)

    def runs(self) -> tuple[RunEntry, ...]:
        return tuple(record.entry for record in self._runs.values())

    def load(self, run: str) -> RunRecord:
        return self._runs[run]

    def add(self, record: RunRecord) -> None:
        self._runs[record.id] = record
        self._fates[record.id] = Fate.UNFINISHED
        self._records[record.id] = {}

    def fate(self, run: str) -> Fate:
        return undone(run, self.runs(), lambda other: self._fates[other])

    def records(self, run: str) -> tuple[StepRecord, ...]:
        return tuple(StepRecord(name, outcome) for name, outcome in self._records[run].items())

    def drive(self, run: str, body: Body, stop: Event) -> StepOutcome | None:
        self._holds.pop(run, None)
        stopped = body(self._holding(run, self._once(run), stop))
        if stopped is None:
            self._fates[run] = Fate.DONE
        return stopped

    def abort(self, run: str) -> None:
        self._fates[run] = Fate.ABORTED

    def _holding(self, run: str, once: Once, stop: Event) -> Once:
        def held(name: str, make: Callable[[], StepOutcome]) -> tuple[StepOutcome, bool]:
            if run in self._holds:
                stop.set()
            return once(name, make)

        return held

    def _once(self, run: str) -> Once:
        recorded = self._records[run]

        def once(name: str, make: Callable[[], StepOutcome]) -> tuple[StepOutcome, bool]:
            if name in recorded:
                return recorded[name], False
            recorded[name] = make()
            return recorded[name], True

        return once
