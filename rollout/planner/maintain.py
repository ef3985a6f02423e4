"""Plain node maintenance: the site's own command on each node, a reboot, or both, no version moved.

Inside the full node transaction, so that a node is out of service and empty before anything is done to it.
"""

from __future__ import annotations

import shlex
from datetime import timedelta

from rollout.model.plan import Plan, PlanKind
from rollout.model.recipe import CommandOnNode
from rollout.model.site import Pacing
from rollout.planner.leg import Task
from rollout.planner.nodes_stage import Walk
from rollout.planner.produce import Draft, Walked, finish, frame_of
from rollout.planner.reboots import reboots
from rollout.planner.refuse import refuse
from rollout.planner.request import Request
from rollout.planner.standing import standing

SUBJECT = "maintenance"


def plan_maintain(
    request: Request, argv: tuple[str, ...], purpose: str = "", *, reboot: bool = False
) -> Plan:
    """Every node that ``options.limit`` leaves is drained, emptied, given the command, and brought back.

    With ``reboot`` it is rebooted after the command, which may then be left out. The command must bear being run
    again: after a crash it may be. Raises PlanRefused as an upgrade does.
    """
    require_task(argv, reboot=reboot)
    site = request.site
    warnings = (_patience(site.pacing),) if reboot else ()
    draft = Draft(PlanKind.MAINTAIN, (), site.policy.waves, site.pacing, warnings)
    frame = frame_of(request, draft)
    task = Task(SUBJECT, "", CommandOnNode(purpose or SUBJECT, argv, reboot=reboot))
    walk = Walk(frame, standing(request.observed), dict.fromkeys(frame.order, (task,)), SUBJECT)
    return finish(request, draft, frame, Walked(walk.waves(), walk.naive_changes()))


def require_task(argv: tuple[str, ...], *, reboot: bool) -> None:
    """By itself, before anything is looked at: raises PlanRefused for no command, and for one that reboots."""
    if not (reboot and not argv) and not (argv and argv[0].strip()):
        fix = (
            "say what to run after `--`, as in: rackroll plan maintain --limit rack:r1 -- apt-get -y upgrade; "
            "or give `--reboot`"
        )
        raise refuse("PLAN-COMMAND-01", "there is no command to run on the nodes", fix=fix)
    if reboots(argv):
        text = f"`{shlex.join(argv)}` returns before the node is down: the run would go on beside it"
        fix = "leave that command out and give `--reboot`: it waits until the node is in another boot"
        raise refuse("PLAN-COMMAND-02", text, fix=fix)


def _patience(pacing: Pacing) -> str:
    limit = pacing.step_timeout / timedelta(seconds=1)
    return f"--reboot: a node that is not back within {limit:g} s fails its step (pacing.stepTimeout)"
