"""Who serves a VIP, as far as one observation says: ToR next-hops joined with Ready gateway pods."""

from __future__ import annotations

from rollout.model.mesh import Gateway
from rollout.model.observed import Observed
from rollout.model.site import Site
from rollout.rules.n1 import next_hop_nodes


def in_rib(site: Site, observed: Observed, gateway: Gateway) -> frozenset[str]:
    sets = (next_hop_nodes(site, e.switch, e.next_hops) for e in observed.rib if e.vip == gateway.vip)
    return frozenset().union(*sets)


def ready(observed: Observed, gateway: Gateway) -> frozenset[str]:
    return frozenset(
        proxy.node
        for proxy in observed.proxies
        if proxy.gateway == gateway.name and proxy.node and proxy.ready and not proxy.terminating
    )


def serving(site: Site, observed: Observed, gateway: Gateway) -> frozenset[str]:
    return in_rib(site, observed, gateway) & ready(observed, gateway)
