"""End a run for good: what it left out of service goes back, what it changed stays and is named.

Only marks that carry this run's id are touched. Everything here looks first, so it may be repeated, also after
it was cut short; the run is ended last, and until then it can still be resumed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from rollout.engine.admission import newest_run, unfinished
from rollout.engine.clock import Clock, SystemClock, Tempo
from rollout.engine.context import Run
from rollout.engine.effects import back, boot
from rollout.engine.journal import Fate, Journal, RunRecord, StepRecord
from rollout.engine.left import Left, Standing, standing
from rollout.engine.outcome import Word
from rollout.engine.ports import World
from rollout.engine.run import durable
from rollout.errors import LockHeld, RackrollError, StepFailed
from rollout.model.reboot import Reboot
from rollout.model.rekey import HandOver, MintAuthority, RenewProxies
from rollout.model.step import (
    Advertise,
    AwaitAdvertised,
    AwaitNodeReady,
    ConfigureHosts,
    ConfigureSwitch,
    Evict,
    EvictAll,
    InstallChart,
    MoveServer,
    RemoveChart,
    ReplaceAgents,
    RestoreGateways,
    RunCommand,
    Uncordon,
)
from rollout.planner.titles import title

NAMED = 8
"""Nodes that are named before the rest is counted."""

Say = Callable[[str], None]


def _ignore(text: str) -> None:
    del text


@dataclass(frozen=True, slots=True)
class Aborted:
    """``back`` are nodes put back in service now; ``stays`` says in words what the run has changed for good."""

    run: str
    back: tuple[str, ...]
    stays: tuple[str, ...]


def abort(
    world: World,
    journal: Journal | None = None,
    say: Say = _ignore,
    *,
    leave: Collection[str] = (),
    clock: Clock | None = None,
    tempo: Tempo | None = None,
) -> Aborted:
    """End the newest run. ``leave`` names nodes that stay as they are, broken ones: a person gives them back.

    Raises LockHeld while its process lives, PlanRefused if there is nothing to end, and StepFailed naming every
    node that could not be put back; the run then stays unfinished.
    """
    journal = journal or durable(world.site)
    with _owned(journal):
        record = newest_run(journal, Fate.UNFINISHED, Fate.ABORTED)
        run = Run(record.id, world, clock or SystemClock(), tempo or Tempo())
        return _end(run, record, journal, say, leave)


def write_off(journal: Journal) -> str | None:
    """End an unfinished run whose site is no more, a lab's: nothing is asked and nothing touched. Returns its id.

    Raises LockHeld while its process lives.
    """
    with _owned(journal):
        run = unfinished(journal)
        if run is not None:
            journal.abort(run.id)
        return run.id if run else None


@contextmanager
def _owned(journal: Journal) -> Iterator[None]:
    try:
        with journal.owned("abort"):
            yield
    except LockHeld as error:
        hint = "`rackroll hold` it first, and abort once it has stopped"
        raise LockHeld(error.message, where=error.where, hint=hint) from None


def _end(run: Run, record: RunRecord, journal: Journal, say: Say, leave: Collection[str]) -> Aborted:
    records = journal.records(record.id)
    open_still = journal.fate(record.id) is Fate.UNFINISHED
    left = standing(record.plan, records) if open_still and records else {}
    nodes = [n for n in _out_of_service(run, left) if n not in leave]
    run.notes.update(fact for each in records for fact in each.outcome.facts)
    failed: list[str] = []
    for node in nodes:
        try:
            if Left.REBOOTING in left.get(node, ()):
                boot.let_finish(run, node)
            _put_back(run, node)
            say(f"{node} is back in service")
        except RackrollError as error:
            failed.append(f"{node}: {error.message}")
    if failed:
        text = f"{len(failed)} of {len(nodes)} nodes could not be put back: " + "; ".join(failed)
        hint = "repair them and `rackroll abort` again, or leave one as it is with `--leave NODE`"
        raise StepFailed(text, where=f"run {record.id}", hint=hint)
    if open_still:
        journal.abort(record.id)
    return Aborted(record.id, tuple(nodes), tuple(_stays(record, records)))


def _out_of_service(run: Run, left: Standing) -> list[str]:
    """By the marks in the world; a drained gateway carries none, so an unfinished run's records are asked."""
    marked = {state.name for state in run.world.cluster.nodes() if state.owner == run.id}
    drained = {node for node, marks in left.items() if Left.DRAINED in marks}
    return [node.name for node in run.site.nodes if node.name in marked | drained]


def _put_back(run: Run, node: str) -> None:
    """The second half of the node transaction, on whatever version the node now runs."""
    gateway = run.site.node(node).gateway and bool(run.site.gateways)
    if gateway:
        back.restore_gateways(run, RestoreGateways(node))
    else:
        back.await_node_ready(run, AwaitNodeReady(node, None, None))
    back.uncordon(run, Uncordon(node))
    if gateway:
        back.advertise(run, Advertise(node))
        back.await_advertised(run, AwaitAdvertised(node))


def _stays(record: RunRecord, records: tuple[StepRecord, ...]) -> Iterator[str]:
    """What was done and is not taken back by ending the run."""
    done = {r.number for r in records if r.outcome.word is Word.DONE}
    moved: dict[str, None] = {}
    for number, _, _, step in record.plan.numbered():
        if number not in done:
            continue
        match step.effect:
            case Evict() | EvictAll() | ReplaceAgents() | RenewProxies() | RunCommand() | Reboot() if (
                step.node is not None
            ):
                moved[step.node] = None
            case InstallChart() | RemoveChart() | MoveServer() | RunCommand():
                yield title(step.effect)
            case MintAuthority() | HandOver():
                yield title(step.effect)
            case ConfigureHosts() | ConfigureSwitch():
                yield title(step.effect)
            case _:
                pass
    if moved:
        names = list(moved)
        rest = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
        yield f"work was done on {', '.join(names[:NAMED])}{rest}"
