"""The engine's front door: apply a plan, resume a run, ask for its status.

``apply`` and ``resume`` return how the run ended; they raise only for what was refused before anything moved
(PlanRefused, LockHeld, Unreachable while observing). Without a journal they keep a durable one in the run
directory, ``<site folder>/.rackroll``.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from threading import Event, Lock

from rollout.engine.admission import admit, admit_resume
from rollout.engine.aims import aims
from rollout.engine.attempt import attempt
from rollout.engine.clock import Clock, SystemClock, Tempo
from rollout.engine.context import Run
from rollout.engine.effects.record import recorded
from rollout.engine.ending import ending
from rollout.engine.execute import Once, execute
from rollout.engine.journal import Journal, RunRecord
from rollout.engine.opened import durable as durable
from rollout.engine.opened import run_dir as run_dir
from rollout.engine.outcome import EXIT_HELD as EXIT_HELD
from rollout.engine.outcome import RunOutcome as RunOutcome
from rollout.engine.outcome import StepOutcome, Word
from rollout.engine.ports import World
from rollout.engine.rollback import undone
from rollout.engine.sampler import sampling
from rollout.engine.status import RunStatus as RunStatus
from rollout.engine.status import status as status
from rollout.model.event import Event as RunEvent
from rollout.model.event import Observer, RunFinished
from rollout.model.plan import Plan
from rollout.model.site import Site


def _ignore(event: RunEvent) -> None:
    del event


def apply(
    world: World,
    plan: Plan,
    journal: Journal | None = None,
    observer: Observer = _ignore,
    *,
    stop: Event | None = None,
    clock: Clock | None = None,
    tempo: Tempo | None = None,
    negative_control: bool = False,
) -> RunOutcome:
    """Carry out ``plan``. Refused if the site, the plan file or the world moved since it was made.

    ``negative_control`` must be said for a plan that breaks N-1 on purpose. Setting ``stop`` (or Ctrl-C in the
    main thread) ends the run at its next safe point, resumable.
    """
    folder = None if journal else run_dir(world.site)
    journal = journal or durable(world.site)
    with journal.owned(_run_id(journal, plan)):
        record = RunRecord(_run_id(journal, plan), plan, _now(), undone(journal, plan))
        admit(world, plan, journal, negative_control=negative_control)
        if not plan.steps:
            return _nothing_to_do(world.site, observer)
        journal.add(record)
        return _drive(_run(world, record, stop, clock, tempo, folder), record, journal, observer)


def resume(
    world: World,
    journal: Journal | None = None,
    observer: Observer = _ignore,
    *,
    stop: Event | None = None,
    clock: Clock | None = None,
    tempo: Tempo | None = None,
) -> RunOutcome:
    """Go on with the site's unfinished run, at the step it stopped in: held, failed, interrupted or killed."""
    folder = None if journal else run_dir(world.site)
    journal = journal or durable(world.site)
    record = admit_resume(world.site, journal)
    with journal.owned(record.id):
        record = admit_resume(world.site, journal)
        return _drive(_run(world, record, stop, clock, tempo, folder), record, journal, observer)


def _run_id(journal: Journal, plan: Plan) -> str:
    """Plan and attempt: the same plan may be carried out again after its first run was aborted."""
    short = plan.id[:12]
    attempts = sum(1 for entry in journal.runs() if entry.id.startswith(f"{short}-"))
    return f"{short}-{attempts + 1}"


def _run(
    world: World,
    record: RunRecord,
    stop: Event | None,
    clock: Clock | None,
    tempo: Tempo | None,
    folder: Path | None,
) -> Run:
    return Run(
        record.id,
        world,
        clock or SystemClock(),
        tempo or Tempo(),
        stop or Event(),
        folder=folder,
        aims=aims(record.plan),
    )


def _drive(run: Run, record: RunRecord, journal: Journal, observer: Observer) -> RunOutcome:
    tell = _serialised(observer)
    fresh = not journal.records(record.id)
    spare = {node.name for node in run.site.nodes if not node.gateway}
    with recorded(run, fresh=fresh), sampling(run, tell):
        stopped = journal.drive(
            record.id,
            lambda once: execute(
                record.plan, _noting(once, run.notes), lambda step: attempt(run, step), tell, spare
            ),
            run.stop,
        )
    outcome = ending(run, record, journal, stopped)
    tell(RunFinished(outcome.word.value, outcome.detail))
    return outcome


def _noting(once: Once, notes: dict[str, str]) -> Once:
    """Every outcome passes here on its way, read back or new: so a resume knows what an earlier process has noted."""

    def noted(name: str, make: Callable[[], StepOutcome]) -> tuple[StepOutcome, bool]:
        outcome, fresh = once(name, make)
        notes.update(outcome.facts)
        return outcome, fresh

    return noted


def _nothing_to_do(site: Site, observer: Observer) -> RunOutcome:
    """No run is recorded: there is nothing to resume, and nothing was touched."""
    detail, gateways = "nothing to do", len(site.gateway_nodes)
    observer(RunFinished(Word.DONE.value, detail))
    return RunOutcome("none", Word.DONE, detail, 0, 0, 0, None, (), (), None, gateways, 0, ())


def _serialised(observer: Observer) -> Callable[[RunEvent], None]:
    """Events come from the executor's thread and the sampler's; whoever watches sees one at a time.

    What goes wrong in watching (a closed terminal) stays there: inside an attempt it would end the run for good.
    """
    lock = Lock()

    def tell(event: RunEvent) -> None:
        with lock, suppress(Exception):
            observer(event)

    return tell


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")


__all__ = ["EXIT_HELD", "RunOutcome", "RunStatus", "apply", "resume", "run_dir", "status"]
