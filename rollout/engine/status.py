"""A run as seen from outside, also while another process moves it."""

from __future__ import annotations

from dataclasses import dataclass

from rollout.engine.journal import Fate, Journal, RunRecord, StepRecord
from rollout.engine.left import left_half_done, put_aside
from rollout.engine.lock import Holder
from rollout.engine.opened import durable
from rollout.engine.outcome import Word
from rollout.model.site import Site
from rollout.planner.titles import title

FINISHED = (Word.DONE.value, Word.ALREADY.value)


@dataclass(frozen=True, slots=True)
class StepView:
    """One step of the plan and how it stands: ``word`` None means not begun, or under way if it is the current."""

    number: int
    wave: str
    stage: str
    key: str
    title: str
    word: str | None
    detail: str
    seconds: float


@dataclass(frozen=True, slots=True)
class WaveView:
    """How far a wave is: steps that are done, of how many."""

    name: str
    racks: tuple[str, ...]
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class RunStatus:
    """``word``: running, held, failed, interrupted, stopped (its process died), done, aborted, rolled-back.

    ``current`` is the step under way or the one to be tried next; None once the run is over. ``hold`` is what was
    given with `rackroll hold`, by whom and why, until the run goes on. ``undoes`` is the run that this one rolls
    back, ``undone_by`` the one that rolls back this; ``aside`` are nodes that failed and were left for later.
    """

    run: str
    plan: str
    kind: str
    site: str
    started: str
    word: str
    detail: str
    steps_done: int
    steps_total: int
    current: StepView | None
    steps: tuple[StepView, ...]
    holder: Holder | None
    left: tuple[str, ...]
    min_in_rib: int | None
    lost: int
    waves: tuple[WaveView, ...] = ()
    hold: str = ""
    undoes: str = ""
    undone_by: str = ""
    aside: tuple[str, ...] = ()


def status(site: Site) -> RunStatus | None:
    """The newest run of this site, None before the first. Takes no lock and starts nothing."""
    return newest(durable(site))


def newest(journal: Journal) -> RunStatus | None:
    runs = journal.runs()
    return describe_run(journal, journal.load(runs[-1].id), journal.holder()) if runs else None


def describe_run(journal: Journal, record: RunRecord, owner: Holder | None) -> RunStatus:
    records = journal.records(record.id)
    steps = _views(record, records)
    fate = journal.fate(record.id)
    over = fate is not Fate.UNFINISHED
    current = None if over else _current(steps, records)
    hold = "" if over else journal.hold_asked(record.id) or ""
    word = _word(fate, owner, record.id, current, hold)
    return RunStatus(
        run=record.id,
        plan=record.plan.id,
        kind=record.plan.kind.value,
        site=record.plan.site,
        started=record.started,
        word=word,
        detail="" if word == "running" or current is None else current.detail,
        steps_done=sum(1 for step in steps if step.word in FINISHED),
        steps_total=len(steps),
        current=current,
        steps=steps,
        holder=owner,
        left=() if over or not records else left_half_done(record.plan, records, record.id),
        min_in_rib=_fewest(records),
        lost=sum(r.outcome.lost for r in records),
        waves=_waves(record, steps),
        hold=hold,
        undoes=record.undoes,
        undone_by=next((e.id for e in reversed(journal.runs()) if e.undoes == record.id), ""),
        aside=() if over else put_aside(record.plan, records),
    )


def _fewest(records: tuple[StepRecord, ...]) -> int | None:
    return min((r.outcome.min_in_rib for r in records if r.outcome.min_in_rib is not None), default=None)


def _current(steps: tuple[StepView, ...], records: tuple[StepRecord, ...]) -> StepView | None:
    """The last record's step if that is to be tried again, else the first that has no record; then what is owed."""
    if records and not records[-1].outcome.settled:
        return next(step for step in steps if step.number == records[-1].number)
    fresh = next((step for step in steps if step.word is None), None)
    return fresh or next((step for step in steps if step.word not in FINISHED), None)


def _waves(record: RunRecord, steps: tuple[StepView, ...]) -> tuple[WaveView, ...]:
    done = {step.number for step in steps if step.word in FINISHED}
    views: list[WaveView] = []
    number = 0
    for wave in record.plan.waves:
        numbers = range(number + 1, number + 1 + sum(len(stage.steps) for stage in wave.stages))
        number += len(numbers)
        views.append(WaveView(wave.name, wave.racks, sum(n in done for n in numbers), len(numbers)))
    return tuple(views)


def _word(fate: Fate, owner: Holder | None, run: str, current: StepView | None, hold: str) -> str:
    if fate is not Fate.UNFINISHED:
        return fate.value
    if owner is not None and owner.run == run:
        return "running"
    if hold:
        return Word.HELD.value
    return current.word if current is not None and current.word else "stopped"


def _views(record: RunRecord, records: tuple[StepRecord, ...]) -> tuple[StepView, ...]:
    last = {r.number: r.outcome for r in records}
    views = []
    for number, wave, stage, step in record.plan.numbered():
        outcome = last.get(number)
        views.append(
            StepView(
                number=number,
                wave=wave.name,
                stage=stage.name,
                key=step.key,
                title=title(step.effect),
                word=outcome.word.value if outcome else None,
                detail=outcome.detail if outcome else "",
                seconds=outcome.seconds if outcome else 0.0,
            )
        )
    return tuple(views)
