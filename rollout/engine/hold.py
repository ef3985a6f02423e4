"""Ask a run that another process drives to stop at its next safe point."""

from __future__ import annotations

from rollout.engine.journal import Fate, Journal
from rollout.planner.refuse import refuse


def hold(journal: Journal, reason: str) -> str:
    """The run that was asked. ``reason`` says who and why; ``resume`` forgets it.

    Raises PlanRefused (RUN-HOLD-01) if no process drives a run: there is nothing that could stop.
    """
    owner = journal.holder()
    if owner is None:
        raise refuse("RUN-HOLD-01", "no process moves this site", fix="see `rackroll status`")
    newest = next(iter(journal.runs()[-1:]), None)
    if newest is None or owner.run != newest.id or journal.fate(newest.id) is not Fate.UNFINISHED:
        text = f"process {owner.pid} on {owner.host} works at {owner.run}, which is no run that can be held"
        raise refuse("RUN-HOLD-01", text, fix="wait for it; see `rackroll status`")
    journal.hold(newest.id, reason)
    return newest.id
