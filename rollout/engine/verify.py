"""A last look after the last step: does the world say what the plan promised?"""

from __future__ import annotations

from rollout.engine.context import Run
from rollout.errors import RackrollError
from rollout.model.plan import Plan, PlanKind


def leftovers(run: Run, plan: Plan) -> str:
    """Proxies that still run another version (a pod may have moved while the run did); empty when none does."""
    if plan.kind is not PlanKind.UPGRADE:
        return ""
    wanted = {target.subject: target.after for target in plan.targets}
    try:
        proxies = run.world.cluster.proxies()
    except RackrollError as error:
        return f"the last look failed: {error.message}"
    old = [p for p in proxies if p.mesh in wanted and p.version != wanted[p.mesh] and not p.terminating]
    if not old:
        return ""
    first = f"{old[0].namespace}/{old[0].pod} at {old[0].version} on {old[0].node}"
    return f"{len(old)} proxies do not run the target version, first {first}: plan again"
