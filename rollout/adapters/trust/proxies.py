"""One mesh's proxies as parties of its trust: seen by a census, or in a gateway's own Envoy, and restarted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pki.rotation.sighting import Party
from rollout.adapters.kube.api import KubeApi
from rollout.adapters.kube.cluster import KubeCluster
from rollout.adapters.trust.census import Census
from rollout.adapters.trust.envoy import Envoy
from rollout.adapters.trust.home import MeshKeys
from rollout.adapters.trust.members import members
from rollout.model.role import SubjectRole
from rollout.model.site import Mesh, Site


@dataclass(frozen=True, slots=True)
class Proxies:
    site: Site
    roles: Mapping[str, SubjectRole]
    mesh: Mesh
    api: Callable[[], KubeApi]
    cluster: KubeCluster
    census: Census

    def seen(self, node: str | None, keys: MeshKeys) -> tuple[Party, ...]:
        api, issuers = self.api(), keys.issuers()
        found = members(self.site, self.roles, self.mesh, api, node)
        sockets = [member for member in found if member.port]
        gateways = [member for member in found if not member.port]
        envoy = Envoy(api, self.census.racks)
        told = (envoy.party(member, issuers) for member in gateways)
        census = self.census.take(sockets, keys.canaries(), keys.stranger(), issuers)
        return (*census, *(party for party in told if party))

    def renew(self, party: Party) -> bool:
        """A node's agent is a DaemonSet's pod and is deleted, a drain would not evict it; else the budget says when."""
        if not party.held_by:
            return self.cluster.evict(party.namespace, party.name)
        for each in self.cluster.agents(party.node, self.mesh.name):
            if each.component == party.held_by and not each.terminating:
                self.cluster.delete_pod(each.namespace, each.pod)
        return True
