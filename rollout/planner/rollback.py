"""Back from what runs now to where a plan started: data plane before control plane, and faster than it went forward.

The way back needs no canary, for the versions it leads to have served before. N-1 and every gate stay.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

from rollout.model.plan import Plan, PlanKind, Target
from rollout.model.policy import Waves
from rollout.model.site import Pacing
from rollout.planner.enough import missing_gateways
from rollout.planner.fleet_start import start
from rollout.planner.goals import role_of, running
from rollout.planner.hops import legs_of
from rollout.planner.preconditions import charts_are_at_rest, versions_are_known
from rollout.planner.produce import Draft
from rollout.planner.refuse import refuse, require
from rollout.planner.request import Request
from rollout.planner.upgrade import in_fewest_walks
from rollout.rules.evaluate import jump_verdicts, place
from rollout.rules.rows import JumpRow

FASTER = 4
"""Times as many workers at once as on the way forward: they run what served yesterday."""


def plan_rollback(request: Request, undone: Plan) -> Plan:
    """``undone`` is the plan whose start is gone back to; what it reached, and no more, is read from the observation.

    Raises PlanRefused where upstream supports no way down (the jump rule that lacks one), or there is nothing to undo.
    """
    targets = tuple(_targets(request, undone))
    versions_are_known(request, targets)
    for target in targets:
        _way_down(request, target)
        charts_are_at_rest(request.observed, request.roles[target.subject])
    site = request.site
    hurt = frozenset(missing_gateways(request))
    draft = Draft(
        PlanKind.ROLLBACK,
        targets,
        faster(site.policy.waves, len(site.racks)),
        shorter(site.pacing),
        hurt=hurt,
    )
    return in_fewest_walks(request, draft, legs_of(request, targets))


def _targets(request: Request, undone: Plan) -> Iterator[Target]:
    """Last moved, first back."""
    if not undone.targets:
        fix = "stop the run with `rackroll abort`; what a command did on a node is the site's to undo"
        if undone.kind is PlanKind.ROTATE:
            fix = "a rotation goes back by the signer: `rackroll abort`, then `rackroll plan rotate --mesh NAME --back`"
        raise refuse("PLAN-ROLLBACK-01", f"plan {undone.id[:12]} moves no version of anything", fix=fix)
    for target in reversed(undone.targets):
        role = role_of(request.roles, target.subject, request.site.name)
        now = running(request.observed, role)
        if target.before is None or now is None:
            was = f"{target.subject} was {target.before or 'not installed'} before plan {undone.id[:12]}"
            fix = "there is no version to go back to; plan a bringup or an upgrade"
            raise refuse("PLAN-ROLLBACK-01", f"{was}, and is {now or 'gone'}", fix=fix)
        yield Target(target.subject, now, target.before)


def _way_down(request: Request, target: Target) -> None:
    """Where upstream supports no way down at all, its own rule says so; how far at once is the path's business."""
    role, book = request.roles[target.subject], request.book
    before = target.before or ""
    if place(book, role.kind, target.after) >= place(book, role.kind, before):
        return
    subject = start(request.site, request.observed, request.roles).subjects[target.subject]
    for verdict in jump_verdicts(book, role.kind, subject.method, before, target.after):
        row = book.find(verdict.rule)
        if isinstance(row, JumpRow) and row.down is None:
            require(verdict, where=target.subject)


def faster(waves: Waves, racks: int) -> Waves:
    """Every rack of a failure domain in one wave; gateway nodes still one at a time, for that is no matter of waves."""
    return replace(
        waves,
        canary_node=False,
        canary_rack=False,
        growth=float(max(racks, 1)),
        max_share=1.0,
        workers_at_once=FASTER * max(1, waves.workers_at_once),
        wave_soak=timedelta(0),
        wave_samples=0,
    )


def shorter(pacing: Pacing) -> Pacing:
    """Half the soak: long enough to see a node that does not serve. Draining and settling take what they take."""
    return replace(pacing, soak=pacing.soak / 2, soak_samples=max(1, pacing.soak_samples // 2))
