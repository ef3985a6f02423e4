"""Which run a rollback takes back. The way back is a plan like any other, and a run of its own."""

from __future__ import annotations

from rollout.engine.journal import Fate, Journal, RunRecord
from rollout.model.plan import Plan, PlanKind
from rollout.planner.refuse import refuse


def to_undo(journal: Journal) -> RunRecord:
    """The newest run that is no rollback itself; unfinished, done or aborted.

    Raises PlanRefused (RUN-ROLLBACK-01) if there is none, if it is rolled back already, or if its rollback has
    stopped half-way: that one is resumed.
    """
    newest = next(iter(journal.runs()[-1:]), None)
    if newest is None:
        raise refuse("RUN-ROLLBACK-01", "no run is recorded here", fix="`rackroll apply` a plan")
    fate = journal.fate(newest.id)
    if newest.undoes and fate is Fate.UNFINISHED:
        text = f"run {newest.id} is rolling back {newest.undoes} and is not finished"
        raise refuse("RUN-ROLLBACK-01", text, fix="`rackroll resume` it, or `rackroll abort` it first")
    target = newest.undoes or newest.id
    if journal.fate(target) is Fate.ROLLED_BACK:
        text = f"run {target} is rolled back already"
        raise refuse("RUN-ROLLBACK-01", text, fix="to go up again, plan an upgrade")
    return journal.load(target)


def undone(journal: Journal, plan: Plan) -> str:
    """The run that a rollback plan takes back; empty for any other plan, and where none is recorded here."""
    newest = next(iter(journal.runs()[-1:]), None)
    if plan.kind is not PlanKind.ROLLBACK or newest is None:
        return ""
    return newest.undoes or newest.id
