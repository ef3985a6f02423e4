"""NEGATIVE CONTROL: the upgrade as it goes wrong in the field, all racks at once and evict first.

Exists so that a demonstration can show what the node transaction saves. ``apply`` runs such a plan only when
told that it is meant.
"""

from __future__ import annotations

from rollout.model.plan import Hop, Plan, PlanKind, Stage
from rollout.model.step import AwaitControlPlane, AwaitGateways, NaiveReplace, Step
from rollout.planner.charts import CONTROL_PLANE, GATEWAYS, chart_steps
from rollout.planner.goals import targets_of
from rollout.planner.hops import leg_of
from rollout.planner.leg import Leg
from rollout.planner.preconditions import goes_up, jump_is_legal, versions_are_known
from rollout.planner.proof import describe
from rollout.planner.request import Request
from rollout.planner.seal import seal, wave
from rollout.planner.standing import standing

WARNING = "NEGATIVE CONTROL: replaces every gateway at once, without drain or withdraw; requests will be lost"


def plan_naive_upgrade(request: Request) -> Plan:
    """Same target and same skew rules as :func:`rollout.planner.upgrade.plan_upgrade`, none of its care for N-1."""
    targets = targets_of(request)
    versions_are_known(request, targets)
    stages: list[Stage] = []
    for target in targets:
        goes_up(request, target)
        leg = leg_of(request, Hop(target.subject, target.before or "", target.after))
        jump_is_legal(request, leg)
        stages += [Stage("control plane", _charts(request, leg)), Stage("everything", _replace(request, leg))]
    waves = wave("all racks at once", tuple(rack.name for rack in request.site.racks), *stages)
    proof = describe(request.site, request.observed, request.roles, request.book, waves)
    return seal(PlanKind.UPGRADE, request, targets, waves, proof, (WARNING,) if waves else ())


def _charts(request: Request, leg: Leg) -> tuple[Step, ...]:
    control = chart_steps(leg.role, CONTROL_PLANE, leg.version, request.observed)
    if control:
        control += (Step(f"{leg.subject}/control-plane", AwaitControlPlane(leg.subject, leg.version)),)
    return control + chart_steps(leg.role, GATEWAYS, leg.version, request.observed)


def _replace(request: Request, leg: Leg) -> tuple[Step, ...]:
    runs = standing(request.observed).proxies.get(leg.subject, {})
    version = leg.component_version(leg.proxy)
    nodes = tuple(n.name for n in request.site.nodes if runs.get(n.name, frozenset()) - {version})
    if not nodes:
        return ()
    waits = tuple(
        Step(f"{leg.subject}/gateway/{g.name}", AwaitGateways(g.name))
        for g in request.site.gateways
        if g.mesh == leg.subject
    )
    return (Step(f"{leg.subject}/naive", NaiveReplace(nodes, leg.subject)), *waits)


def is_negative_control(plan: Plan) -> bool:
    return any(isinstance(step.effect, NaiveReplace) for _, _, _, step in plan.numbered())
