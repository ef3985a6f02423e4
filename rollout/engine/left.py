"""What a run has left out of service. Read off the plan and the records, so it works offline."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum

from rollout.engine.journal import StepRecord
from rollout.engine.outcome import Word
from rollout.model.plan import Plan
from rollout.model.reboot import Reboot
from rollout.model.step import (
    Advertise,
    Cordon,
    DrainGateways,
    Effect,
    RestoreGateways,
    Uncordon,
    Withdraw,
)


class Left(StrEnum):
    DRAINED = "drained"
    WITHDRAWN = "withdrawn"
    CORDONED = "cordoned"
    REBOOTING = "perhaps in the middle of a reboot"


Standing = Mapping[str, tuple[Left, ...]]


def standing(plan: Plan, records: Iterable[StepRecord]) -> Standing:
    """Node to the marks that attempted steps may have set and no finished step has removed.

    Where the last record is no end, the next step may have been under way when its process died: it counts too.
    """
    known = tuple(records)
    tried, finished = _tried(known)
    ended = bool(known) and not known[-1].outcome.settled
    under_way = 0 if ended else next((n for n, _, _, _ in plan.numbered() if n not in tried), 0)
    found: dict[str, list[Left]] = {}
    for number, _, _, step in plan.numbered():
        if number in tried or number == under_way:
            _mark(found, step.effect, done=number in finished)
    return {node: tuple(marks) for node, marks in found.items() if marks}


def _tried(records: Iterable[StepRecord]) -> tuple[set[int], set[int]]:
    """Numbers of steps that have any record, and of those that are finished."""
    tried: set[int] = set()
    finished: set[int] = set()
    for record in records:
        tried.add(record.number)
        if record.outcome.finished:
            finished.add(record.number)
    return tried, finished


def _mark(found: dict[str, list[Left]], effect: Effect, *, done: bool) -> None:
    match effect:
        case DrainGateways(node=node):
            _set(found, node, Left.DRAINED)
        case Withdraw(node=node):
            _set(found, node, Left.WITHDRAWN)
        case Cordon(node=node):
            _set(found, node, Left.CORDONED)
        case Reboot(node=node) if done:
            _clear(found, node, Left.REBOOTING)
        case Reboot(node=node):
            _set(found, node, Left.REBOOTING)
        case Uncordon(node=node) if done:
            _clear(found, node, Left.CORDONED)
        case RestoreGateways(node=node) if done:
            _clear(found, node, Left.DRAINED)
        case Advertise(node=node) if done:
            _clear(found, node, Left.WITHDRAWN, Left.DRAINED)
        case _:
            pass


def _set(found: dict[str, list[Left]], node: str, mark: Left) -> None:
    if mark not in found.setdefault(node, []):
        found[node].append(mark)


def _clear(found: dict[str, list[Left]], node: str, *marks: Left) -> None:
    found[node] = [mark for mark in found.get(node, []) if mark not in marks]


def left_half_done(plan: Plan, records: Iterable[StepRecord], run: str) -> tuple[str, ...]:
    """One line for each node that is out of service."""
    found = standing(plan, records)
    return tuple(f"{node} is {' and '.join(marks)}, owned by run {run}" for node, marks in found.items())


def put_aside(plan: Plan, records: Iterable[StepRecord]) -> tuple[str, ...]:
    """Nodes whose steps were skipped after one of them failed, and that have not caught up since."""
    tried = list(records)
    _, finished = _tried(tried)
    skipped = {r.number for r in tried if r.outcome.word is Word.SKIPPED} - finished
    nodes = (step.node for number, _, _, step in plan.numbered() if number in skipped)
    return tuple(dict.fromkeys(node for node in nodes if node is not None))
