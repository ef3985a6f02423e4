"""How a run ended, worked out from its records: for the command line, for a report, for whoever resumes it."""

from __future__ import annotations

from dataclasses import replace

from rollout.engine.context import Run
from rollout.engine.journal import Journal, RunRecord, StepRecord
from rollout.engine.left import left_half_done, put_aside
from rollout.engine.outcome import EXIT_HELD, EXIT_ROLLED_BACK, RunOutcome, StepOutcome, Word
from rollout.engine.verify import leftovers
from rollout.model.plan import Plan, PlanKind


def ending(run: Run, record: RunRecord, journal: Journal, stopped: StepOutcome | None) -> RunOutcome:
    """``stopped`` None means that every step is done."""
    if stopped is not None:
        stopped = held_by_hand(journal, record.id, stopped)
    records = journal.records(record.id)
    left = left_half_done(record.plan, records, record.id) if stopped else ()
    aside = put_aside(record.plan, records) if stopped else ()
    minima = [r.outcome.min_in_rib for r in records if r.outcome.min_in_rib is not None]
    return RunOutcome(
        run=record.id,
        word=stopped.word if stopped else Word.DONE,
        detail=_detail(stopped, left, aside) if stopped else leftovers(run, record.plan),
        exit_code=stopped.exit_code if stopped else _done(record.plan),
        steps_done=len({r.number for r in records if r.outcome.finished}),
        steps_total=record.plan.steps,
        step=_stopped_at(record, records) if stopped else None,
        findings=stopped.findings if stopped else (),
        left=left,
        min_in_rib=min(minima, default=None),
        gateways_total=len(run.site.gateway_nodes),
        lost=sum(r.outcome.lost for r in records),
        counts=_summed([count for r in records for count in r.outcome.counts]),
        aside=aside,
        undoes=record.undoes,
    )


def _done(plan: Plan) -> int:
    return EXIT_ROLLED_BACK if plan.kind is PlanKind.ROLLBACK else 0


def held_by_hand(journal: Journal, run: str, stopped: StepOutcome) -> StepOutcome:
    """A hold reaches the run as a request to stop; what it ends as says who asked and why."""
    reason = journal.hold_asked(run) if stopped.word is Word.INTERRUPTED else None
    if reason is None:
        return stopped
    return replace(stopped, word=Word.HELD, detail=f"held by hand: {reason}", exit_code=EXIT_HELD)


def _stopped_at(record: RunRecord, records: tuple[StepRecord, ...]) -> str | None:
    """The last record's step unless that is finished; a process that died left none, and then the next one."""
    keys = {number: step.key for number, _, _, step in record.plan.numbered()}
    if records and not records[-1].outcome.settled:
        return keys[records[-1].number]
    seen = {r.number for r in records}
    return next((key for number, key in keys.items() if number not in seen), None)


def _detail(stopped: StepOutcome, left: tuple[str, ...], aside: tuple[str, ...]) -> str:
    tail = [f"left half-done: {line}; `rackroll resume` goes on there" for line in left]
    if aside:
        tail.append(f"put aside after a failure, tried again on resume: {', '.join(aside)}")
    return "\n".join((stopped.detail, *tail))


def _summed(counts: list[tuple[str, int]]) -> tuple[tuple[str, int], ...]:
    names = dict.fromkeys(name for name, _ in counts)
    return tuple((name, sum(n for other, n in counts if other == name)) for name in names)
