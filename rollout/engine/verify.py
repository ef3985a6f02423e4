"""A last look after the last step: does the world say what the plan promised?"""

from __future__ import annotations

from collections.abc import Mapping

from rollout.engine.context import Run
from rollout.errors import RackrollError
from rollout.model.observed import ProxyState
from rollout.model.plan import Plan, PlanKind


def leftovers(run: Run, plan: Plan) -> str:
    """Proxies on the nodes that the plan visited which still run another version; empty when none does.

    A pod may have moved while the run did.
    """
    if plan.kind not in (PlanKind.UPGRADE, PlanKind.ROLLBACK):
        return ""
    wanted = _wanted(run, plan)
    visited = {step.node for _, _, _, step in plan.numbered()}
    try:
        proxies = run.world.cluster.proxies()
    except RackrollError as error:
        return f"the last look failed: {error.message}"
    old = [p for p in proxies if p.node in visited and _differs(p, wanted)]
    if not old:
        return ""
    first = f"{old[0].namespace}/{old[0].pod} at {old[0].version} on {old[0].node}"
    return f"{len(old)} proxies do not run the target version, first {first}: plan again"


def _wanted(run: Run, plan: Plan) -> Mapping[str, str]:
    """Subject to what its proxies call themselves at the target; subjects without proxies are left out."""
    found: dict[str, str] = {}
    for target in plan.targets:
        role = run.world.roles.get(target.subject)
        kind = role.proxies() if role else None
        if role and kind:
            found[target.subject] = role.component_version(kind.component, target.after)
    return found


def _differs(proxy: ProxyState, wanted: Mapping[str, str]) -> bool:
    return proxy.mesh in wanted and proxy.version != wanted[proxy.mesh] and not proxy.terminating
