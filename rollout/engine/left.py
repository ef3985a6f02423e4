"""What a run that stopped in a node transaction has left out of service. Read off the plan, so it works offline."""

from __future__ import annotations

from collections.abc import Iterator

from rollout.model.plan import Plan
from rollout.model.step import Advertise, Cordon, DrainGateways, Effect, Uncordon, Withdraw


def left_half_done(plan: Plan, stopped_at: int, run: str) -> tuple[str, ...]:
    """Marks that steps up to and including ``stopped_at`` may have set and none of those before has removed."""
    standing: dict[str, list[str]] = {}
    for number, _, _, step in plan.numbered():
        if number > stopped_at:
            break
        _mark(standing, step.effect, undone=number < stopped_at)
    return tuple(_lines(standing, run))


def _mark(standing: dict[str, list[str]], effect: Effect, *, undone: bool) -> None:
    match effect:
        case DrainGateways(node=node):
            standing.setdefault(node, []).append("drained")
        case Withdraw(node=node):
            standing.setdefault(node, []).append("withdrawn")
        case Cordon(node=node):
            standing.setdefault(node, []).append("cordoned")
        case Uncordon(node=node) if undone and node in standing:
            standing[node].remove("cordoned")
        case Advertise(node=node) if undone:
            standing.pop(node, None)
        case _:
            pass


def _lines(standing: dict[str, list[str]], run: str) -> Iterator[str]:
    for node, marks in standing.items():
        if marks:
            yield f"{node} is {' and '.join(marks)}, owned by run {run}"
