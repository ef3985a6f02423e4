"""Wire the adapters and roles of one site into the engine's World."""

from __future__ import annotations

import logging

from rollout.engine.ports import SubjectRole, World
from rollout.errors import PlanRefused
from rollout.model.site import Mesh, MeshKind, Site


def roles_of(site: Site) -> dict[str, SubjectRole]:
    """One role for MetalLB and one for each mesh of the site, by subject name."""
    from roles.metallb.role import MetalLbRole

    return {"metallb": MetalLbRole(site), **{mesh.name: _mesh_role(site, mesh) for mesh in site.meshes}}


def _mesh_role(site: Site, mesh: Mesh) -> SubjectRole:
    from roles.istio.role import IstioRole

    if mesh.kind is not MeshKind.ISTIO:
        raise PlanRefused(
            f"mesh {mesh.name} is {mesh.kind}: this build can only plan istio",
            where=str(site.folder / "site.yaml"),
            hint="leave this mesh out of the site file, or use a build with its role",
        )
    return IstioRole(site, mesh)


def build_world(site: Site) -> World:
    """Real adapters; nothing is contacted before the first call.

    Libraries below them log what our errors say better; without a handler Python would print that to stderr.
    """
    logging.getLogger().addHandler(logging.NullHandler())
    from rollout.adapters.commands import SiteCommands
    from rollout.adapters.helm import HelmCharts
    from rollout.adapters.hosts.parent import PyinfraHosts
    from rollout.adapters.kube.cluster import KubeCluster
    from rollout.adapters.kube.workloads import KubeWorkloads
    from rollout.adapters.metrics import Prometheus
    from rollout.adapters.probe import OutsideProbe
    from rollout.adapters.switches.port import SshSwitches

    roles = roles_of(site)
    return World(
        site=site,
        hosts=PyinfraHosts(site),
        switches=SshSwitches(site),
        charts=HelmCharts(site),
        cluster=KubeCluster(site, roles),
        probe=OutsideProbe(site),
        roles=roles,
        commands=SiteCommands(site),
        workloads=KubeWorkloads(site, roles),
        metrics=Prometheus(),
    )
