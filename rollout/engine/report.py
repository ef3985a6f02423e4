"""What a run did, put together for people from its plan, its journal and its two snapshots. Contacts nothing."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from rollout.engine.compare import Difference, compare
from rollout.engine.effects.record import AFTER, BEFORE
from rollout.engine.journal import Journal, RunRecord, StepRecord
from rollout.engine.outcome import NEXT_HOPS_OF
from rollout.engine.snapshot import read
from rollout.engine.status import RunStatus, WaveView, describe_run
from rollout.model.gate import Finding
from rollout.model.plan import NextHopChanges, Plan, Target
from rollout.planner.refuse import refuse
from rollout.planner.titles import title
from rollout.rules.n1 import floor


@dataclass(frozen=True, slots=True)
class StepReport:
    """``word`` None: not begun. ``seconds`` are those of all ``attempts`` together."""

    number: int
    wave: str
    stage: str
    title: str
    word: str | None
    attempts: int
    seconds: float
    detail: str


@dataclass(frozen=True, slots=True)
class WaveReport:
    name: str
    racks: tuple[str, ...]
    steps: int
    done: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Stop:
    """One attempt that ended the run for a while. ``findings`` are the gates that were not open, if any held it."""

    number: int
    title: str
    word: str
    seconds: float
    findings: tuple[Finding, ...]
    detail: str


@dataclass(frozen=True, slots=True)
class NextHopCount:
    """``seen`` by the run's sampler; ``planned`` and ``naive`` None where the plan counts none for this VIP."""

    vip: str
    seen: int
    planned: int | None
    naive: int | None


@dataclass(frozen=True, slots=True)
class RunReport:
    """``lowest`` is the fewest gateways that the sampler found in the ToRs' tables, None if it never looked.

    ``differences`` None: there are no two snapshots to compare, and ``missing`` names those that are not there.
    ``compared`` says when the two were taken; ``after`` is as of the run's last stop.
    """

    run: str
    plan: str
    kind: str
    site: str
    started: str
    word: str
    detail: str
    targets: tuple[Target, ...]
    steps_done: int
    steps_total: int
    seconds: float
    waves: tuple[WaveReport, ...]
    steps: tuple[StepReport, ...]
    stops: tuple[Stop, ...]
    left: tuple[str, ...]
    gateways: int
    floor: int
    lowest: int | None
    lost: int
    next_hops: tuple[NextHopCount, ...]
    missing: tuple[str, ...]
    differences: tuple[Difference, ...] | None
    compared: tuple[str, ...] = ()


def report(journal: Journal, run: str | None, folder: Path, gateways: int) -> RunReport | None:
    """Of ``run``, or of the newest; None before the first. ``gateways`` is how many gateway nodes the site has.

    Raises RuleRefused (RUN-UNKNOWN-01) for a run that this site never had.
    """
    entries = journal.runs()
    if run is None and not entries:
        return None
    wanted = run or entries[-1].id
    if wanted not in {entry.id for entry in entries}:
        known = ", ".join(entry.id for entry in entries[-5:]) or "none"
        raise refuse("RUN-UNKNOWN-01", f"no run {wanted} here", fix=f"name one of the newest: {known}")
    return report_of(journal, journal.load(wanted), folder, gateways)


def report_of(journal: Journal, record: RunRecord, folder: Path, gateways: int) -> RunReport:
    records = journal.records(record.id)
    stood = describe_run(journal, record, journal.holder())
    steps = _steps(stood, records)
    before, after = (read(folder, record.id, name) for name in (BEFORE, AFTER))
    return RunReport(
        run=record.id,
        plan=record.plan.id,
        kind=record.plan.kind.value,
        site=record.plan.site,
        started=record.started,
        word=stood.word,
        detail=stood.detail,
        targets=record.plan.targets,
        steps_done=stood.steps_done,
        steps_total=stood.steps_total,
        seconds=round(sum(step.seconds for step in steps), 3),
        waves=_waves(stood.waves, steps),
        steps=steps,
        stops=_stops(record.plan, records),
        left=stood.left,
        gateways=gateways,
        floor=floor(gateways),
        lowest=stood.min_in_rib,
        lost=stood.lost,
        next_hops=_next_hops(record.plan, records),
        missing=tuple(name for name, found in ((BEFORE, before), (AFTER, after)) if found is None),
        differences=compare(before, after, record.plan) if before and after else None,
        compared=tuple(found.taken.isoformat(timespec="seconds") for found in (before, after) if found),
    )


def _steps(stood: RunStatus, records: Iterable[StepRecord]) -> tuple[StepReport, ...]:
    """A step that was tried again took what all its attempts took; its last one says how it stands."""
    attempts, seconds = Counter[int](), defaultdict[int, float](float)
    for record in records:
        attempts[record.number] += 1
        seconds[record.number] += record.outcome.seconds
    return tuple(
        StepReport(
            number=step.number,
            wave=step.wave,
            stage=step.stage,
            title=step.title,
            word=step.word,
            attempts=attempts[step.number],
            seconds=round(seconds[step.number], 3),
            detail=step.detail,
        )
        for step in stood.steps
    )


def _waves(views: Iterable[WaveView], steps: tuple[StepReport, ...]) -> tuple[WaveReport, ...]:
    """By position and not by name: two waves may share one."""
    waves, at = [], 0
    for view in views:
        seconds = round(sum(step.seconds for step in steps[at : at + view.total]), 3)
        at += view.total
        waves.append(WaveReport(view.name, view.racks, view.total, view.done, seconds))
    return tuple(waves)


def _stops(plan: Plan, records: Iterable[StepRecord]) -> tuple[Stop, ...]:
    titles = {number: title(step.effect) for number, _, _, step in plan.numbered()}
    return tuple(
        Stop(r.number, titles[r.number], o.word.value, o.seconds, o.findings, o.detail)
        for r in records
        if not (o := r.outcome).finished
    )


def _next_hops(plan: Plan, records: Iterable[StepRecord]) -> tuple[NextHopCount, ...]:
    seen: Counter[str] = Counter()
    for record in records:
        for name, count in record.outcome.counts:
            if name.startswith(NEXT_HOPS_OF):
                seen[name.removeprefix(NEXT_HOPS_OF)] += count
    foretold = {change.vip: change for change in plan.next_hops}
    return tuple(_count(vip, seen, foretold) for vip in sorted(seen.keys() | foretold.keys()))


def _count(vip: str, seen: Mapping[str, int], foretold: Mapping[str, NextHopChanges]) -> NextHopCount:
    change = foretold.get(vip)
    if change is None:
        return NextHopCount(vip, seen.get(vip, 0), None, None)
    return NextHopCount(vip, seen.get(vip, 0), change.planned, change.naive)
