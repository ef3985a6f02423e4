"""A run as seen from outside, also while another process moves it."""

from __future__ import annotations

from dataclasses import dataclass

from rollout.engine.journal import Fate, Journal, RunRecord, StepRecord
from rollout.engine.left import left_half_done
from rollout.engine.lock import Holder
from rollout.engine.opened import durable
from rollout.engine.outcome import Word
from rollout.model.site import Site
from rollout.planner.titles import title


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
class RunStatus:
    """``word``: running, held, failed, interrupted, stopped (its process died), done, abandoned.

    ``current`` is the step under way or the one to be tried next; None once the run is over.
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


def status(site: Site) -> RunStatus | None:
    """The newest run of this site, None before the first. Takes no lock and starts nothing."""
    return newest(durable(site))


def newest(journal: Journal) -> RunStatus | None:
    runs = journal.runs()
    return describe_run(journal, journal.load(runs[-1].id), journal.holder()) if runs else None


def describe_run(journal: Journal, record: RunRecord, owner: Holder | None) -> RunStatus:
    records = journal.records(record.id)
    steps = _views(record, records)
    done = sum(1 for step in steps if step.word in (Word.DONE, Word.ALREADY))
    fate = journal.fate(record.id)
    current = next((s for s in steps if s.word not in (Word.DONE, Word.ALREADY)), None)
    word = _word(fate, owner, record.id, current)
    over = fate is not Fate.UNFINISHED
    minima = [r.outcome.min_in_rib for r in records if r.outcome.min_in_rib is not None]
    return RunStatus(
        run=record.id,
        plan=record.plan.id,
        kind=record.plan.kind.value,
        site=record.plan.site,
        started=record.started,
        word=word,
        detail="" if over or word == "running" or current is None else current.detail,
        steps_done=done,
        steps_total=len(steps),
        current=None if over else current,
        steps=steps,
        holder=owner,
        left=() if fate is Fate.DONE or current is None else _left(record, current, records),
        min_in_rib=min(minima, default=None),
        lost=sum(r.outcome.lost for r in records),
    )


def _left(record: RunRecord, current: StepView, records: tuple[StepRecord, ...]) -> tuple[str, ...]:
    return left_half_done(record.plan, current.number, record.id) if records else ()


def _word(fate: Fate, owner: Holder | None, run: str, current: StepView | None) -> str:
    if fate is not Fate.UNFINISHED:
        return fate.value
    if owner is not None and owner.run == run:
        return "running"
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
