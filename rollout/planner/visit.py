"""The node transaction. Its order is measured, not taste: withdrawing before draining reset 7-13 kept-alive
connections out of 20, this order lost nothing (docs/decisions).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import assert_never

from rollout.model.reboot import NoteBoot, Reboot
from rollout.model.recipe import CommandOnNode, RenewOnNode, ReplaceNodeAgents, RestartProxies
from rollout.model.rekey import AwaitRenewed, RenewProxies
from rollout.model.site import Pacing
from rollout.model.step import (
    Advertise,
    AwaitAdvertised,
    AwaitNodeReady,
    AwaitVersion,
    AwaitWithdrawn,
    Cordon,
    DrainGateways,
    Effect,
    Evict,
    EvictAll,
    ProbeVips,
    ReplaceAgents,
    RestoreGateways,
    RunCommand,
    Soak,
    Step,
    Uncordon,
    Withdraw,
)
from rollout.planner.gates import Gates
from rollout.planner.leg import Task

Row = tuple[str, Effect, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Visit:
    """One node's turn. ``routes``: it is a gateway whose routes must go first. ``restore``: a gateway that is
    drained here and not replaced must pass its health check again before its route comes back."""

    prefix: str
    node: str
    tasks: tuple[Task, ...]
    routes: bool
    restore: bool
    pacing: Pacing
    gates: Gates


Phases = tuple[tuple[Step, ...], ...]
"""Leave, empty, act, ready, back. Workers of a batch go through each phase together."""


def steps(visit: Visit) -> tuple[Step, ...]:
    return tuple(step for phase in phases(visit) for step in phase)


def together(visits: Iterable[Visit]) -> tuple[Step, ...]:
    """Several workers at once: all leave, then all act, then all come back."""
    rows = [phases(visit) for visit in visits]
    return tuple(step for phase in zip(*rows, strict=True) for part in phase for step in part)


def phases(visit: Visit) -> Phases:
    """Every step that takes something away is gated; the way back is not, it can only help. After a reboot its first
    step is: that machine's clock is a new one."""
    node, drained = visit.node, any(isinstance(t.action, CommandOnNode) for t in visit.tasks)
    empty: tuple[Row, ...] = (
        (("evict-all", EvictAll(node), visit.gates.acting[visit.routes]),) if drained else ()
    )
    rows = (
        tuple(_leave(visit)),
        empty,
        tuple(row for task in _ordered(visit.tasks) for row in _act(visit, task)),
        _clocked(visit, tuple(_ready(visit))),
        tuple(_back(visit)),
    )
    key = f"{visit.prefix}/{node}/"
    return tuple(
        tuple(Step(key + verb, effect, gates, node) for verb, effect, gates in phase) for phase in rows
    )


def _leave(visit: Visit) -> Iterator[Row]:
    node, gates = visit.node, visit.gates
    evicts = any(not isinstance(task.action, ReplaceNodeAgents) for task in visit.tasks)
    first = gates.first[visit.routes, evicts]
    if not visit.routes:
        yield "cordon", Cordon(node), first
        return
    yield "drain", DrainGateways(node, visit.pacing.drain_wait), first
    yield "withdraw", Withdraw(node), gates.withdrawing
    yield "await-withdrawn", AwaitWithdrawn(node, visit.pacing.fabric_settle), ()
    yield "cordon", Cordon(node), gates.route_gone


def _ordered(tasks: tuple[Task, ...]) -> list[Task]:
    """The machine first, then its agents, then the proxies: what starts last starts on what is new."""
    rank = (CommandOnNode, ReplaceNodeAgents, RestartProxies, RenewOnNode)
    return sorted(tasks, key=lambda task: rank.index(type(task.action)))


def _act(visit: Visit, task: Task) -> Iterator[Row]:
    node, gates = visit.node, visit.gates
    tag = f"-{task.subject}" if len({t.subject for t in visit.tasks}) > 1 else ""
    match task.action:
        case RestartProxies():
            yield f"evict{tag}", Evict(node, task.subject, task.version), gates.acting[visit.routes]
        case ReplaceNodeAgents(components=components):
            effect = ReplaceAgents(node, task.subject, components, task.version)
            yield f"replace-{components[0]}{tag}", effect, gates.acting[visit.routes]
        case CommandOnNode(purpose=purpose, argv=argv, component=component):
            if argv:
                yield f"command{tag}", RunCommand(node, purpose, argv), gates.acting[visit.routes]
            if task.action.reboot:
                yield f"note-boot{tag}", NoteBoot(node), ()
                yield f"reboot{tag}", Reboot(node), gates.acting[visit.routes]
            if component is not None:
                wait = AwaitVersion(task.subject, component, task.version, node)
                yield f"await-{component}{tag}", wait, ()
        case RenewOnNode(trusts=trusts, signer=signer):
            yield f"renew{tag}", RenewProxies(node, task.subject, trusts, signer), gates.acting[visit.routes]
        case _:
            assert_never(task.action)


def _ready(visit: Visit) -> Iterator[Row]:
    """A gateway that was drained and stays is let live again first: until then it would never be Ready."""
    if visit.restore:
        yield "restore", RestoreGateways(visit.node), ()
    restarted = [t for t in visit.tasks if isinstance(t.action, RestartProxies)]
    for task in restarted:
        tag = f"-{task.subject}" if len(restarted) > 1 else ""
        yield f"await-ready{tag}", AwaitNodeReady(visit.node, task.subject, task.version), ()
    if not restarted:
        yield "await-ready", AwaitNodeReady(visit.node, None, None), ()
    for task in visit.tasks:
        if isinstance(task.action, RenewOnNode):
            trusts, signer = task.action.trusts, task.action.signer
            yield "await-renewed", AwaitRenewed(visit.node, task.subject, trusts, signer), ()


def _clocked(visit: Visit, ready: tuple[Row, ...]) -> tuple[Row, ...]:
    """Where a task reboots the node, the first step after it asks for the clock."""
    if not any(isinstance(task.action, CommandOnNode) and task.action.reboot for task in visit.tasks):
        return ready
    (verb, effect, gates), *rest = ready
    return ((verb, effect, (*gates, *visit.gates.booted)), *rest)


def _back(visit: Visit) -> Iterator[Row]:
    node, pacing = visit.node, visit.pacing
    yield "uncordon", Uncordon(node), ()
    if visit.routes:
        yield "advertise", Advertise(node), ()
        yield "await-advertised", AwaitAdvertised(node), ()
        yield "probe", ProbeVips(pacing.soak_samples), ()
        yield "soak", Soak(pacing.soak, pacing.soak_samples), ()
