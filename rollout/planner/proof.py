"""Every state a plan passes through, on the way there and on the way back, with the rules that were checked in it.

Thin but computed: nothing is asserted here that was not put through the rules' own evaluator.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

from rollout.model.plan import ProvenState, Wave
from rollout.model.step import Advertise, AwaitControlPlane, Evict, NaiveReplace, Step, Withdraw
from rollout.planner.move import Move
from rollout.planner.refuse import refuse, require
from rollout.rules.book import book
from rollout.rules.evaluate import RuleVerdict, skews
from rollout.rules.n1 import RULE, arithmetic, floor
from rollout.rules.version import Version


@dataclass(frozen=True, slots=True)
class _State:
    """``data`` counts the nodes that run each version; ``out`` are the gateway nodes that announce nothing."""

    control: Version
    data: tuple[tuple[Version, int], ...]
    out: frozenset[str] = frozenset()

    @property
    def versions(self) -> tuple[Version, ...]:
        return tuple(version for version, _ in self.data)


def prove(move: Move, waves: tuple[Wave, ...]) -> tuple[ProvenState, ...]:
    """Raises PlanRefused if any state breaks a rule. The way back is the same states backwards: data plane first."""
    states = tuple(_walk(move, waves))
    for key, state in states:
        for verdict in _skews(move, state):
            require(verdict, where=f"{move.mesh.name} after {key}")
        _require_n1(move, key, state)
    forward = describe(move, waves)
    back = (replace(s, after_step=f"undo to {s.after_step}", rollback=True) for s in forward[-2::-1])
    return (*forward, *back)


def describe(move: Move, waves: tuple[Wave, ...]) -> tuple[ProvenState, ...]:
    """The same walk without refusing, for the negative control: it shows where N-1 breaks."""
    return tuple(_proven(move, key, state) for key, state in _walk(move, waves))


def _walk(move: Move, waves: tuple[Wave, ...]) -> Iterator[tuple[str, _State]]:
    state = _State(move.control, _counted(Counter(v for held in move.by_node.values() for v in held)))
    yield "start", state
    for wave in waves:
        for stage in wave.stages:
            for step in stage.steps:
                after = _after(move, state, step)
                if after != state:
                    yield step.key, after
                state = after


def _after(move: Move, state: _State, step: Step) -> _State:
    match step.effect:
        case AwaitControlPlane(mesh=mesh) if mesh == move.mesh.name:
            return replace(state, control=move.target)
        case Withdraw(node=node):
            return replace(state, out=state.out | {node})
        case Evict(node=node):
            return replace(state, data=_moved(move, state, (node,)))
        case Advertise(node=node):
            return replace(state, out=state.out - {node})
        case NaiveReplace(nodes=nodes):
            gone = frozenset(n.name for n in move.site.gateway_nodes) & frozenset(nodes)
            return replace(state, data=_moved(move, state, nodes), out=gone)
        case _:
            return state


def _moved(move: Move, state: _State, nodes: tuple[str, ...]) -> tuple[tuple[Version, int], ...]:
    """Counts, not a copy of the fleet: a plan has as many states as nodes, and each must be cheap."""
    counts = Counter(dict(state.data))
    for node in nodes:
        held = move.by_node.get(node, frozenset())
        counts.subtract(held)
        counts[move.target] += bool(held)
    return _counted(counts)


def _counted(counts: Counter[Version]) -> tuple[tuple[Version, int], ...]:
    return tuple(sorted((version, count) for version, count in counts.items() if count > 0))


def _skews(move: Move, state: _State) -> tuple[RuleVerdict, ...]:
    kind = move.mesh.kind.value
    return tuple(v for version in state.versions for v in skews(book(), kind, state.control, version))


def _serving(move: Move, state: _State) -> tuple[int, int]:
    return move.gateway_total - len(state.out), move.gateway_total


def _require_n1(move: Move, key: str, state: _State) -> None:
    serving, total = _serving(move, state)
    if state.out and serving < floor(total):
        raise refuse(
            "PLAN-N1-01", f"after {key}: {arithmetic(serving, total)}", fix="this order is never planned"
        )


def _proven(move: Move, key: str, state: _State) -> ProvenState:
    serving, total = _serving(move, state)
    lines = [f"{v.rule} {'holds' if v.holds else 'BROKEN'}: {v.arithmetic}" for v in _skews(move, state)]
    if total:
        verdict = "holds" if serving >= floor(total) else "BROKEN"
        lines.append(f"{RULE} {verdict}: {arithmetic(serving, total)}")
    return ProvenState(
        after_step=key,
        control_plane=str(state.control),
        data_plane=tuple(map(str, state.versions)),
        gateways_serving=serving,
        gateways_total=total,
        rules=tuple(lines),
    )
