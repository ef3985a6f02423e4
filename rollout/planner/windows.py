"""PLAN-WINDOW-01: no wave takes a control plane or identity in hand together with every gateway node."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

from rollout.model.plan import Wave
from rollout.model.proof import WaveMoves
from rollout.model.rekey import RenewProxies
from rollout.model.step import Evict, EvictAll, NaiveReplace, ReplaceAgents, Step, Withdraw
from rollout.planner.components import control_of
from rollout.planner.fleet import Fleet
from rollout.planner.walk import State


def wave_moves(states: Sequence[State], waves: tuple[Wave, ...]) -> tuple[WaveMoves, ...]:
    """What each wave moves, in the plan's order."""
    gateway_nodes = states[0].fleet.gateway_nodes
    control: list[set[str]] = [set() for _ in waves]
    for before, then in pairwise(states):
        control[then.wave].update(_moved(before.fleet, then.fleet))
    return tuple(
        WaveMoves(wave.name, tuple(sorted(moved)), len(_touched(wave) & gateway_nodes))
        for wave, moved in zip(waves, control, strict=True)
    )


def broken(moves: WaveMoves, total: int) -> bool:
    return bool(moves.control) and 0 < total <= moves.gateways


def _moved(before: Fleet, then: Fleet) -> Iterator[str]:
    if before.counts is then.counts:
        return
    for subject in then.subjects.values():
        for component in control_of(subject.kind):
            key = subject.name, component
            if before.counts.get(key) != then.counts.get(key):
                yield subject.name


def _touched(wave: Wave) -> frozenset[str]:
    return frozenset(node for stage in wave.stages for node in _taken(stage.steps))


def _taken(steps: Iterable[Step]) -> Iterator[str]:
    for step in steps:
        match step.effect:
            case Withdraw(node=node) | Evict(node=node) | EvictAll(node=node) | ReplaceAgents(node=node):
                yield node
            case RenewProxies(node=node):
                yield node
            case NaiveReplace(nodes=nodes):
                yield from nodes
            case _:
                pass
