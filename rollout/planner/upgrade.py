"""A mesh to a target version: control plane, then gateways and workers rack by rack, never below N-1 gateways."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from rollout.model.observed import Observed
from rollout.model.plan import Plan, PlanKind, Stage, Wave
from rollout.model.role import SubjectRole
from rollout.model.site import Mesh, Node, Rack, Site
from rollout.model.step import AwaitControlPlane, ProbeVips, Step
from rollout.planner.charts import CONTROL_PLANE, GATEWAYS, chart_steps, object_steps
from rollout.planner.move import Move, move_of, pinned
from rollout.planner.preconditions import upgrade_preconditions
from rollout.planner.proof import prove
from rollout.planner.seal import seal, wave
from rollout.planner.transaction import N1_NOW, move_gateway_node, move_worker_node
from rollout.rules.book import book
from rollout.rules.evaluate import drain_levers


def plan_upgrade(
    site: Site, observed: Observed, roles: Mapping[str, SubjectRole], subject: str, version: str
) -> Plan:
    """Only what is not yet at ``version`` is in the plan; nothing to do gives a plan with no steps.

    Raises PlanRefused with the rule that forbids it, the numbers, the rule's source and the way out.
    """
    move = move_of(site, observed, roles, subject, version)
    nodes = tuple(node for node in site.nodes if move.moves(node))
    upgrade_preconditions(move, nodes)
    waves = (*control_plane_wave(move), *(w for rack in site.racks for w in _rack_wave(move, rack)))
    return seal(
        PlanKind.UPGRADE,
        site,
        observed,
        (move.goal,),
        waves,
        prove(site, observed, roles, book(), waves),
        tuple(_warnings(site, move.mesh)),
    )


def control_plane_wave(move: Move) -> tuple[Wave, ...]:
    """The gateways' chart comes last and rolls nothing: its DaemonSet is OnDelete, which is made sure of first."""
    gates = (N1_NOW,) if move.site.gateways else ()
    control = chart_steps(move.role, CONTROL_PLANE, move.version, move.observed, gates)
    if control:
        control += (Step(f"{move.mesh.name}/control-plane", AwaitControlPlane(move.mesh.name, move.version)),)
        control += object_steps(move.role, CONTROL_PLANE)
    charts = chart_steps(move.role, GATEWAYS, move.version, move.observed, gates)
    if charts:
        charts = (*object_steps(move.role, GATEWAYS), *charts)
        charts += (Step(f"{move.mesh.name}/probe", ProbeVips(move.site.pacing.soak_samples)),)
    racks = tuple(rack.name for rack in move.site.racks)
    return wave("control plane", racks, Stage("control plane", control), Stage("gateway charts", charts))


def _rack_wave(move: Move, rack: Rack) -> tuple[Wave, ...]:
    gateways = [node for node in rack.nodes if move.moves_gateway(node)]
    workers = [node for node in rack.nodes if move.moves(node) and not move.moves_gateway(node)]
    return wave(
        f"rack {rack.name}",
        (rack.name,),
        Stage("gateways", tuple(step for node in gateways for step in _gateway(move, node))),
        Stage("workers", tuple(step for node in workers for step in _worker(move, node))),
    )


def _gateway(move: Move, node: Node) -> tuple[Step, ...]:
    return move_gateway_node(node.name, move.mesh.name, move.version, move.site.pacing)


def _worker(move: Move, node: Node) -> tuple[Step, ...]:
    return move_worker_node(node.name, move.mesh.name, move.version)


def _warnings(site: Site, mesh: Mesh) -> Iterator[str]:
    for row in drain_levers(book(), "metallb", pinned(site.metallb.version)):
        if row.lever == "cordon":
            yield f"{row.id}: MetalLB {site.metallb.version}: {row.note} [{row.provenance.source}]"
    others = ", ".join(gateway.name for gateway in site.gateways if gateway.mesh != mesh.name)
    if others:
        yield (
            f"withdrawing a node takes every VIP off it, and only {mesh.name}'s gateways are drained first: "
            f"kept-alive connections to {others} are reset when their node is withdrawn"
        )
