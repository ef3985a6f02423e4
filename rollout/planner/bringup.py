"""A greenfield site from cabled to serving: hosts, ToRs, MetalLB, meshes, then a client outside gets an answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from rollout.model.mesh import Mesh
from rollout.model.observed import Observed
from rollout.model.plan import Plan, PlanKind, Stage, Target, Wave
from rollout.model.rekey import HandOver
from rollout.model.role import SubjectRole
from rollout.model.site import Site
from rollout.model.step import (
    AwaitControlPlane,
    AwaitGateways,
    AwaitPeering,
    ConfigureHosts,
    ConfigureSwitch,
    ProbeVips,
    Step,
)
from rollout.planner.charts import CONTROL_PLANE, GATEWAYS, NETWORK, chart_steps, object_steps
from rollout.planner.preconditions import bringup_preconditions
from rollout.planner.proof import prove
from rollout.planner.request import Request
from rollout.planner.seal import seal, wave


def plan_bringup(request: Request) -> Plan:
    """Every step stays in the plan even where it may already be true: it then finishes as "already".

    Raises PlanRefused where something runs at another version than the site's: that is an upgrade.
    """
    site, observed, roles = request.site, request.observed, request.roles
    targets = tuple(_targets(site, observed, roles))
    for target in targets:
        bringup_preconditions(request, target)
    networks = [mesh for mesh in site.meshes if _is_network(roles[mesh.name])]
    waves = (*_hosts(site), *_fabric(site))
    waves += tuple(w for mesh in networks for w in _mesh(request, mesh))
    waves += _metallb(site, roles["metallb"])
    others = [mesh for mesh in site.meshes if mesh not in networks]
    waves += tuple(w for mesh in others for w in _mesh(request, mesh))
    waves += wave("outside", _racks(site), Stage("probe", _outside(site)))
    return seal(PlanKind.BRINGUP, request, targets, waves, prove(site, observed, roles, request.book, waves))


def _targets(site: Site, observed: Observed, roles: Mapping[str, SubjectRole]) -> Iterator[Target]:
    wanted = [("metallb", site.metallb.version), *((mesh.name, mesh.version) for mesh in site.meshes)]
    for name, version in wanted:
        yield Target(name, roles[name].installed_version(observed.charts), version)


def _is_network(role: SubjectRole) -> bool:
    """Without it no pod starts, MetalLB's neither."""
    return any(chart.stage == NETWORK for chart in role.charts())


def _racks(site: Site) -> tuple[str, ...]:
    return tuple(rack.name for rack in site.racks)


def _hosts(site: Site) -> tuple[Wave, ...]:
    steps = [
        Step(f"hosts/{rack.name}", ConfigureHosts(rack.name, tuple(node.name for node in rack.nodes)))
        for rack in site.racks
    ]
    return wave("hosts", _racks(site), Stage("kernel and clock", tuple(steps)))


def _fabric(site: Site) -> tuple[Wave, ...]:
    steps = tuple(Step(f"tor/{s.name}", ConfigureSwitch(s.name)) for s in site.switches)
    return wave("fabric", _racks(site), Stage("switches", steps))


def _metallb(site: Site, role: SubjectRole) -> tuple[Wave, ...]:
    version = site.metallb.version
    control = (
        *chart_steps(role, CONTROL_PLANE, version, None),
        Step("metallb/control-plane", AwaitControlPlane(role.name, version)),
        *object_steps(role, CONTROL_PLANE),
    )
    peering = tuple(Step(f"peering/{s.name}", AwaitPeering(s.name)) for s in site.switches)
    return wave("metallb", _racks(site), Stage("control plane", control), Stage("peering", peering))


def _mesh(request: Request, mesh: Mesh) -> tuple[Wave, ...]:
    """Trust comes before the control plane that would otherwise make a root of its own."""
    site, role = request.site, request.roles[mesh.name]
    handed = request.trust.get(mesh.name)
    told: tuple[Step, ...] = ()
    if handed is not None:
        told = (Step(f"{mesh.name}/trust", HandOver(mesh.name, handed.trusts, handed.signer)),)
    late = handed is not None and handed.after_charts
    control = (
        *(() if late else told),
        *chart_steps(role, NETWORK, mesh.version, None),
        *chart_steps(role, CONTROL_PLANE, mesh.version, None),
        Step(f"{mesh.name}/control-plane", AwaitControlPlane(mesh.name, mesh.version)),
        *object_steps(role, CONTROL_PLANE),
        *(told if late else ()),
    )
    gateways = (
        *chart_steps(role, GATEWAYS, mesh.version, None),
        *object_steps(role, GATEWAYS),
        *(Step(f"{mesh.name}/gateway/{g.name}", AwaitGateways(g.name)) for g in mesh.gateways),
    )
    return wave(
        f"mesh {mesh.name}", _racks(site), Stage("control plane", control), Stage("gateways", gateways)
    )


def _outside(site: Site) -> tuple[Step, ...]:
    return (Step("outside/probe", ProbeVips(site.pacing.soak_samples)),) if site.gateways else ()
