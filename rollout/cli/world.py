"""Wire the adapters and roles of one site into the engine's World."""

from __future__ import annotations

import logging
from typing import assert_never

from rollout.engine.ports import SubjectRole, World
from rollout.model.mesh import Mesh, MeshKind
from rollout.model.site import Site


def roles_of(site: Site) -> dict[str, SubjectRole]:
    """MetalLB, Kubernetes, and one role for each mesh of the site, by subject name."""
    from roles.kubernetes.role import KubernetesRole
    from roles.metallb.role import MetalLbRole

    own: dict[str, SubjectRole] = {"metallb": MetalLbRole(site), "kubernetes": KubernetesRole(site)}
    return own | {mesh.name: _mesh_role(site, mesh) for mesh in site.meshes}


def _mesh_role(site: Site, mesh: Mesh) -> SubjectRole:
    match mesh.kind:
        case MeshKind.ISTIO:
            from roles.istio.role import istio_role

            return istio_role(site, mesh)
        case MeshKind.LINKERD:
            from roles.linkerd.role import LinkerdRole

            return LinkerdRole(site, mesh)
        case MeshKind.CILIUM:
            from roles.cilium.role import CiliumRole

            return CiliumRole(site, mesh)
        case MeshKind.CONSUL:
            from roles.consul.role import ConsulRole

            return ConsulRole(site, mesh)
    assert_never(mesh.kind)


def build_world(site: Site) -> World:
    """Real adapters; nothing is contacted before the first call.

    Libraries below them log what our errors say better; without a handler Python would print that to stderr.
    """
    logging.getLogger().addHandler(logging.NullHandler())
    from roles.kubernetes.rights import runner_rights
    from rollout.adapters.commands import SiteCommands
    from rollout.adapters.helm import HelmCharts
    from rollout.adapters.hosts.parent import PyinfraHosts
    from rollout.adapters.kube.cluster import KubeCluster
    from rollout.adapters.kube.rights import KubeRights
    from rollout.adapters.kube.workloads import KubeWorkloads
    from rollout.adapters.metrics import Prometheus
    from rollout.adapters.probe import OutsideProbe
    from rollout.adapters.signatures import SshSigners
    from rollout.adapters.switches.port import SshSwitches
    from rollout.adapters.trust.wiring import trust_of_site

    roles = roles_of(site)
    probe = OutsideProbe(site)
    cluster = KubeCluster(site, roles)
    return World(
        site=site,
        hosts=PyinfraHosts(site),
        switches=SshSwitches(site),
        charts=HelmCharts(site),
        cluster=cluster,
        probe=probe,
        certificates=probe,
        roles=roles,
        commands=SiteCommands(site),
        workloads=KubeWorkloads(site, roles),
        metrics=Prometheus(),
        signers=SshSigners(site),
        rights=KubeRights(site, runner_rights()),
        trust=trust_of_site(site, roles, cluster),
    )
