"""Walk a plan step by step through a journal. Knows order, retries and events; knows no effect and no storage."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import islice
from typing import Protocol

from rollout.engine.outcome import StepOutcome, Word
from rollout.model.event import Observer, StepFinished, StepHeld, StepSkipped, StepStarted, WavePlace
from rollout.model.plan import Plan, Stage, Wave
from rollout.model.step import AwaitGateways, ProbeVips, Soak, Step, TakeSnapshot


class Once(Protocol):
    """A journal's promise: the same name gives the recorded outcome if there is one, else the attempt is made.

    The second value says whether it was made now; False means it was read back.
    """

    def __call__(self, name: str, make: Callable[[], StepOutcome]) -> tuple[StepOutcome, bool]: ...


@dataclass(frozen=True, slots=True)
class _Place:
    number: int
    total: int
    wave: Wave
    stage: Stage
    step: Step
    at: WavePlace


def _places(plan: Plan) -> Iterator[_Place]:
    sizes = [sum(len(stage.steps) for stage in wave.stages) for wave in plan.waves]
    numbered = plan.numbered()
    for turn, size in enumerate(sizes, 1):
        for inside, (number, wave, stage, step) in enumerate(islice(numbered, size), 1):
            at = WavePlace(turn, len(sizes), inside, size)
            yield _Place(number, plan.steps, wave, stage, step, at)


def execute(
    plan: Plan,
    once: Once,
    attempt: Callable[[Step], StepOutcome],
    observer: Observer,
    spare: Collection[str] = (),
) -> StepOutcome | None:
    """None when every step is done; otherwise the outcome that stopped the run, which a resume tries again.

    Of the ``spare`` nodes as many as the plan allows may fail and are put aside: the rest of their steps is
    recorded as skipped, and tried again before anything that reaches beyond one node, and at the end.
    """
    walk = _Walk(once, attempt, observer, frozenset(spare), plan.options.max_fail)
    for place in _places(plan):
        stopped = walk.go(place)
        if stopped is not None:
            return stopped
    return walk.take_up()


@dataclass(slots=True)
class _Walk:
    """``aside``: the steps that nodes put aside still owe, each with the number of its last try."""

    once: Once
    attempt: Callable[[Step], StepOutcome]
    observer: Observer
    spare: frozenset[str]
    may_fail: int
    aside: dict[str, list[tuple[_Place, int]]] = field(default_factory=dict)
    failed: set[str] = field(default_factory=set)

    def go(self, place: _Place) -> StepOutcome | None:
        node = place.step.node
        if node is not None and node in self.aside:
            self._skip(place, 1, f"{node} was put aside")
            return None
        if node is None and self.aside and not _looks_only(place.step):
            stopped = self.take_up()
            if stopped is not None:
                return stopped
        return self._settle(place, tries=1, last_chance=False)

    def take_up(self) -> StepOutcome | None:
        """What nodes owe is tried again, in the plan's order; one that fails now stops the run."""
        for node, owed in list(self.aside.items()):
            for place, tries in owed:
                stopped = self._settle(place, tries + 1, last_chance=True)
                if stopped is not None:
                    return stopped
            del self.aside[node]
        return None

    def _settle(self, place: _Place, tries: int, *, last_chance: bool) -> StepOutcome | None:
        """An unfinished outcome that was read back belongs to an earlier process: this one tries afresh."""
        while True:
            outcome, fresh = self.once(
                record_name(place.number, place.step, tries), lambda: self._made(place)
            )
            if outcome.word is Word.SKIPPED:
                self._put_aside(place, tries)
                return None
            if fresh:
                _tell(place, outcome, self.observer)
            if outcome.finished:
                return None
            if fresh and not last_chance and self._may_fail(place, outcome):
                self._skip(place, tries + 1, outcome.detail)
                return None
            if fresh:
                return outcome
            tries += 1

    def _made(self, place: _Place) -> StepOutcome:
        names = place.wave.name, place.stage.name
        self.observer(StepStarted(*names, place.number, place.total, place.step, place.at))
        return self.attempt(place.step)

    def _may_fail(self, place: _Place, outcome: StepOutcome) -> bool:
        node = place.step.node
        if outcome.word is not Word.FAILED or node not in self.spare or outcome.trace:
            return False
        return len(self.failed | {node}) <= self.may_fail

    def _skip(self, place: _Place, tries: int, why: str) -> None:
        """Recorded like any outcome: a resume must walk the same way again."""
        name = record_name(place.number, place.step, tries)
        outcome, fresh = self.once(name, lambda: StepOutcome(Word.SKIPPED, why))
        if fresh:
            self.observer(StepSkipped(place.number, place.total, place.step, outcome.detail))
        self._put_aside(place, tries)

    def _put_aside(self, place: _Place, tries: int) -> None:
        node = place.step.node
        assert node is not None, "only a node's steps are ever skipped"
        self.failed.add(node)
        self.aside.setdefault(node, []).append((place, tries))


def _looks_only(step: Step) -> bool:
    """Steps that may go on although some nodes were put aside: they change nothing."""
    return isinstance(step.effect, ProbeVips | Soak | TakeSnapshot | AwaitGateways)


def record_name(number: int, step: Step, tries: int) -> str:
    """Unique in a plan and readable in the journal: position, key, attempt."""
    return f"{number:04} {step.key} #{tries}"


def _tell(place: _Place, outcome: StepOutcome, observer: Observer) -> None:
    number, total, step = place.number, place.total, place.step
    match outcome.word:
        case Word.DONE | Word.ALREADY:
            took = timedelta(seconds=outcome.seconds)
            observer(
                StepFinished(number, total, step, took, outcome.word.value, outcome.detail, outcome.counts)
            )
        case Word.HELD:
            observer(StepHeld(number, total, step, outcome.findings))
        case Word.FAILED | Word.INTERRUPTED | Word.SKIPPED:
            pass
