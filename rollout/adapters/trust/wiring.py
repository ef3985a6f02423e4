"""From a site to the trust of each of its meshes: only those with a ``pki`` section, and a role that has a way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from pki.profile import Identity, profile
from roles.consul.role import ConsulRole
from roles.handover import TrustedRole
from rollout.adapters.kube.api import KubeApi, connect
from rollout.adapters.kube.cluster import KubeCluster
from rollout.adapters.pki import pki_home
from rollout.adapters.trust.census import TIMEOUT, Census
from rollout.adapters.trust.connect_ca import ServerCa
from rollout.adapters.trust.consul import ConsulTrust
from rollout.adapters.trust.home import MeshKeys, spoken
from rollout.adapters.trust.members import Member
from rollout.adapters.trust.objects import KubeTrust
from rollout.adapters.trust.proxies import Proxies
from rollout.adapters.trust.vantage import NodeVantage, Vantage
from rollout.engine.trust import MeshTrust
from rollout.model.mesh import Mesh, MeshKind
from rollout.model.role import SubjectRole
from rollout.model.site import Site
from rollout.model.trust import TrustWay


def trust_of_site(
    site: Site,
    roles: Mapping[str, SubjectRole],
    cluster: KubeCluster,
    vantage: Vantage | None = None,
) -> dict[str, MeshTrust]:
    """Nothing is contacted and no key is opened before the first question."""
    found: dict[str, MeshTrust] = {}
    for mesh in site.meshes:
        way = roles[mesh.name].trust()
        if mesh.pki is not None and way is not None:
            found[mesh.name] = _trust(site, roles, mesh, way, cluster, vantage or NodeVantage(site))
    return found


def _trust(
    site: Site,
    roles: Mapping[str, SubjectRole],
    mesh: Mesh,
    way: TrustWay,
    cluster: KubeCluster,
    vantage: Vantage,
) -> MeshTrust:
    api = _once(partial(connect, site.kubernetes))
    racks = {node.name: node.rack for node in site.nodes}
    timeout = max(TIMEOUT, *(node.ssh.timeout.total_seconds() for node in site.nodes))
    census = Census(vantage, racks, way.socket, partial(_name, mesh), timeout)
    proxies = Proxies(site, roles, mesh, api, cluster, census, envoys=mesh.kind is MeshKind.ISTIO)
    keys = MeshKeys(mesh.name, pki_home(mesh))
    role = roles[mesh.name]
    if isinstance(role, TrustedRole):
        return KubeTrust(mesh.name, way, role.object_trust(), keys, api, cluster, proxies)
    if isinstance(role, ConsulRole):
        return ConsulTrust(mesh.name, way, ServerCa(mesh.namespace, api, vantage), keys, proxies)
    raise NotImplementedError(f"{role.kind} has a way to rotate and nothing here hands it over")


def _once(make: Callable[[], KubeApi]) -> Callable[[], KubeApi]:
    """At first use: a site may be looked at before its cluster is there."""
    made: list[KubeApi] = []

    def api() -> KubeApi:
        if not made:
            made.append(make())
        return made[0]

    return api


def _name(mesh: Mesh, member: Member) -> str:
    with spoken(mesh.name):
        own = profile(mesh.kind.value, mesh.trust_domain)
        return own.leaf_name(Identity(member.namespace, member.account))
