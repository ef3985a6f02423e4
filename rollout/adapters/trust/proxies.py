"""One mesh's proxies as parties of its trust: seen by a census, or in a gateway's own Envoy, and restarted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from pki.rotation.sighting import Party
from rollout.adapters.kube.api import KubeApi
from rollout.adapters.kube.cluster import KubeCluster
from rollout.adapters.trust.census import Census
from rollout.adapters.trust.envoy import Envoy
from rollout.adapters.trust.home import MeshKeys
from rollout.adapters.trust.members import members
from rollout.model.mesh import Mesh
from rollout.model.role import SubjectRole
from rollout.model.site import Site


class Parties(Protocol):
    """Whoever serves a mesh's leaves, on one node or (None) on all; and proxies of it that hold nothing of the mesh."""

    def seen(self, node: str | None, keys: MeshKeys) -> tuple[Party, ...]: ...

    def renew(self, party: Party) -> bool:
        """False: a budget says not yet."""
        ...


@dataclass(frozen=True, slots=True)
class Proxies:
    """Implements :class:`Parties` by the pods of a site.

    ``envoys``: a proxy that answers no handshake (a gateway, a sidecar whose port takes plain text or lets its
    application's own TLS through) is an Envoy that can be asked what it holds."""

    site: Site
    roles: Mapping[str, SubjectRole]
    mesh: Mesh
    api: Callable[[], KubeApi]
    cluster: KubeCluster
    census: Census
    envoys: bool = False

    def seen(self, node: str | None, keys: MeshKeys) -> tuple[Party, ...]:
        api, issuers = self.api(), keys.issuers()
        found = members(self.site, self.roles, self.mesh, api, node)
        shaken = self.census.take([m for m in found if m.port], keys.canaries(), keys.stranger(), issuers)
        names = {(member.namespace, member.name): member for member in found}
        told = {(p.namespace, p.name): p for p in shaken if _answered(p) or p.held_by or not self.envoys}
        if self.envoys:
            envoy = Envoy(api, self.census.racks)
            why = {(party.namespace, party.name): party.silent for party in shaken}
            for name in names.keys() - told.keys():
                told[name] = _both(envoy.party(names[name], issuers), why.get(name, ""))
        return tuple(told[name] for name in sorted(told))

    def renew(self, party: Party) -> bool:
        """A node's agent is a DaemonSet's pod and is deleted, a drain would not evict it; else the budget says when."""
        if not party.held_by:
            return self.cluster.evict(party.namespace, party.name)
        for each in self.cluster.agents(party.node, self.mesh.name):
            if each.component == party.held_by and not each.terminating:
                self.cluster.delete_pod(each.namespace, each.pod)
        return True


def _both(party: Party, handshake: str) -> Party:
    """Who answers neither a handshake nor its Envoy's question is silent for both reasons."""
    return (
        replace(party, silent="; ".join(filter(None, (handshake, party.silent)))) if party.silent else party
    )


def _answered(party: Party) -> bool:
    return party.leaf is not None and party.trusts is not None
