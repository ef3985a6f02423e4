"""Walk a plan step by step through a journal. Knows order, retries and events; knows no effect and no storage."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from rollout.engine.outcome import StepOutcome, Word
from rollout.model.event import Observer, StepFinished, StepHeld, StepStarted
from rollout.model.plan import Plan, Stage, Wave
from rollout.model.step import Step


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


def execute(
    plan: Plan, once: Once, attempt: Callable[[Step], StepOutcome], observer: Observer
) -> StepOutcome | None:
    """None when every step is done; otherwise the outcome that stopped the run, which a resume tries again."""
    for number, wave, stage, step in plan.numbered():
        stopped = _settle(_Place(number, plan.steps, wave, stage, step), once, attempt, observer)
        if stopped is not None:
            return stopped
    return None


def _settle(
    place: _Place, once: Once, attempt: Callable[[Step], StepOutcome], observer: Observer
) -> StepOutcome | None:
    """An unfinished outcome that was read back belongs to an earlier process: this one tries afresh."""

    def make() -> StepOutcome:
        observer(StepStarted(place.wave.name, place.stage.name, place.number, place.total, place.step))
        return attempt(place.step)

    tries = 0
    while True:
        tries += 1
        outcome, fresh = once(record_name(place.number, place.step, tries), make)
        if fresh:
            _tell(place, outcome, observer)
        if outcome.finished:
            return None
        if fresh:
            return outcome


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
        case Word.FAILED | Word.INTERRUPTED:
            pass
