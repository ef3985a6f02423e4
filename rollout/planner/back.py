"""The way back: the states of the plan backwards, as far as upstream supports the moves that this takes.

Backwards, the data plane moves before its control plane by itself: forwards it moved after it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from rollout.model.proof import NoReturn, ProvenSubject, Undo, Verdict
from rollout.planner.components import LEADERS
from rollout.planner.fleet import Fleet
from rollout.planner.judge import jump_of
from rollout.planner.walk import State
from rollout.rules.book import RuleBook
from rollout.rules.evaluate import RuleVerdict

Move = tuple[ProvenSubject, str, str]
"""A subject's leader taken back: from the version it reached to the one it left."""


def undos(book: RuleBook, states: Sequence[State]) -> tuple[Undo, ...]:
    """Each distinct move once, in the plan's order."""
    moves = dict.fromkeys(move for _, move in _moves(states))
    return tuple(
        Undo(subject.name, before, after, tuple(_said(v) for v in _asked(book, (subject, before, after))))
        for subject, before, after in moves
    )


def point_of_no_return(book: RuleBook, states: Sequence[State]) -> NoReturn | None:
    """The first step that upstream has no way back from, and the rule that says so."""
    for step, move in _moves(states):
        for verdict in _asked(book, move):
            if verdict.refuses:
                return NoReturn(step, move[0].name, verdict.rule, verdict.arithmetic)
    return None


def _asked(book: RuleBook, move: Move) -> tuple[RuleVerdict, ...]:
    """Nothing for a version that cannot be placed: the configuration it is part of says so already."""
    try:
        return jump_of(book, *move)
    except ValueError:
        return ()


def _moves(states: Sequence[State]) -> Iterator[tuple[str, Move]]:
    for before, then in pairwise(states):
        if before.fleet.counts is not then.fleet.counts:
            for move in _taken_back(before.fleet, then.fleet):
                yield then.step, move


def _taken_back(before: Fleet, then: Fleet) -> Iterator[Move]:
    """A version that gained holders came from each one that lost some, or that the step left beside it."""
    for subject in then.subjects.values():
        for component in LEADERS.get(subject.kind, ()):
            old, new = (f.counts.get((subject.name, component), {}) for f in (before, then))
            gained = [v for v in new if new[v] > old.get(v, 0)]
            for version in gained:
                lost = [v for v in old if old[v] > new.get(v, 0)]
                yield from ((subject, version, gone) for gone in sorted(lost or set(old) - {version}))


def _said(verdict: RuleVerdict) -> Verdict:
    return Verdict(verdict.rule, verdict.holds, verdict.arithmetic, verdict.severity.value)
