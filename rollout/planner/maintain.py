"""Plain node maintenance: the site's own command on each node, inside the full node transaction, no version moved."""

from __future__ import annotations

from rollout.model.plan import Plan, PlanKind
from rollout.model.recipe import CommandOnNode
from rollout.planner.leg import Task
from rollout.planner.nodes_stage import Walk
from rollout.planner.produce import Draft, Walked, finish, frame_of
from rollout.planner.refuse import refuse
from rollout.planner.request import Request
from rollout.planner.standing import standing

SUBJECT = "maintenance"


def plan_maintain(request: Request, argv: tuple[str, ...], purpose: str = "") -> Plan:
    """Every node that ``options.limit`` leaves is drained, emptied, given the command, and brought back.

    The command must bear being run again: after a crash it may be. Raises PlanRefused as an upgrade does.
    """
    if not argv or not argv[0].strip():
        fix = (
            "say what to run after `--`, as in: rackroll plan maintain --limit rack:r1 -- apt-get -y upgrade"
        )
        raise refuse("PLAN-COMMAND-01", "there is no command to run on the nodes", fix=fix)
    site = request.site
    draft = Draft(PlanKind.MAINTAIN, (), site.policy.waves, site.pacing)
    frame = frame_of(request, draft)
    task = Task(SUBJECT, "", CommandOnNode(purpose or SUBJECT, argv))
    walk = Walk(frame, standing(request.observed), dict.fromkeys(frame.order, (task,)), SUBJECT)
    return finish(request, draft, frame, Walked(walk.waves(), walk.naive_changes()))
