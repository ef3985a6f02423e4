"""Keep what the fleet looked like: before a run moves anything, when it stops, and where a plan says so."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rollout.engine import snapshot
from rollout.engine.context import Run
from rollout.engine.outcome import Done, Word
from rollout.errors import RackrollError
from rollout.model.step import TakeSnapshot

BEFORE = "before"
AFTER = "after"


@contextmanager
def recorded(run: Run, *, fresh: bool) -> Iterator[None]:
    """Snapshots around a drive of ``run``: ``before`` only if nothing has moved yet (``fresh``), ``after`` each time
    it stops, so that a report on a held run compares too. A world that does not answer costs the snapshot, never
    the run; an older ``after`` goes first, for it would pass for what is there now.
    """
    if run.folder is None:
        yield
        return
    snapshot.file_of(run.folder, run.id, AFTER).unlink(missing_ok=True)
    if fresh:
        _record(run, run.folder, BEFORE)
    yield
    _record(run, run.folder, AFTER)


def _record(run: Run, folder: Path, name: str) -> None:
    try:
        snapshot.keep(folder, snapshot.take(run, name))
    except (RackrollError, OSError):
        return


def take_snapshot(run: Run, effect: TakeSnapshot) -> Done:
    """A snapshot that an interrupted attempt has already kept stays as it is. Without a run directory (a run
    that is remembered in memory only) the fleet is looked at and nothing is written."""
    if run.folder is not None and snapshot.read(run.folder, run.id, effect.name) is not None:
        return Done(Word.ALREADY, f"{effect.name} is recorded")
    taken = snapshot.take(run, effect.name)
    counts = f"{len(taken.nodes)} nodes, {sum(v.count for v in taken.versions)} proxies and agents"
    if run.folder is None:
        return Done(Word.DONE, f"{counts}; not kept: this run has no directory")
    snapshot.keep(run.folder, taken)
    return Done(Word.DONE, counts)
