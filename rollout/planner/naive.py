"""NEGATIVE CONTROL: the upgrade as it goes wrong in the field, all racks at once and evict first.

Exists so that a demonstration can show what the node transaction saves. ``apply`` runs such a plan only when
told that it is meant.
"""

from __future__ import annotations

from collections.abc import Mapping

from rollout.model.observed import Observed
from rollout.model.plan import Plan, PlanKind, Stage
from rollout.model.role import SubjectRole
from rollout.model.site import Site
from rollout.model.step import AwaitControlPlane, AwaitGateways, NaiveReplace, Step
from rollout.planner.charts import CONTROL_PLANE, GATEWAYS, chart_steps
from rollout.planner.move import Move, move_of
from rollout.planner.preconditions import naive_preconditions
from rollout.planner.proof import describe
from rollout.planner.seal import seal, wave
from rollout.rules.book import book

WARNING = "NEGATIVE CONTROL: replaces every gateway at once, without drain or withdraw; requests will be lost"


def plan_naive_upgrade(
    site: Site, observed: Observed, roles: Mapping[str, SubjectRole], subject: str, version: str
) -> Plan:
    """Same target and same skew rules as :func:`rollout.planner.upgrade.plan_upgrade`, none of its care for N-1."""
    move = move_of(site, observed, roles, subject, version)
    naive_preconditions(move)
    racks = tuple(rack.name for rack in site.racks)
    stages = (Stage("control plane", _charts(move)), Stage("everything", _replace(move)))
    waves = wave("all racks at once", racks, *stages)
    proof = describe(site, observed, roles, book(), waves)
    return seal(PlanKind.UPGRADE, site, observed, (move.goal,), waves, proof, (WARNING,) if waves else ())


def _charts(move: Move) -> tuple[Step, ...]:
    control = chart_steps(move.role, CONTROL_PLANE, move.version, move.observed)
    if control:
        control += (Step(f"{move.mesh.name}/control-plane", AwaitControlPlane(move.mesh.name, move.version)),)
    return control + chart_steps(move.role, GATEWAYS, move.version, move.observed)


def _replace(move: Move) -> tuple[Step, ...]:
    nodes = tuple(node.name for node in move.site.nodes if move.moves(node))
    if not nodes:
        return ()
    waits = tuple(
        Step(f"{move.mesh.name}/gateway/{g.name}", AwaitGateways(g.name)) for g in move.mesh.gateways
    )
    return (Step(f"{move.mesh.name}/naive", NaiveReplace(nodes, move.mesh.name)), *waits)


def is_negative_control(plan: Plan) -> bool:
    return any(isinstance(step.effect, NaiveReplace) for _, _, _, step in plan.numbered())
