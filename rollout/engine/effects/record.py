"""Keep what the fleet looked like, once: the first look before anything moved is the one that a report needs."""

from __future__ import annotations

from rollout.engine import snapshot
from rollout.engine.context import Run
from rollout.engine.outcome import Done, Word
from rollout.model.step import TakeSnapshot


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
