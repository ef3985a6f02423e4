"""The N-1 join, read live: which of our nodes are next-hops of a VIP at their own ToR."""

from __future__ import annotations

from rollout.engine.ports import World
from rollout.model.site import Address, Gateway, Node
from rollout.rules.n1 import next_hop_nodes


def routed(world: World, gateway: Gateway) -> frozenset[str]:
    """Over all ToRs of racks that have gateway nodes. Raises Unreachable if any of them is silent."""
    names: frozenset[str] = frozenset()
    for rack in world.site.racks:
        if any(node.gateway for node in rack.nodes):
            hops = world.switches.next_hops(rack.switch, gateway.vip)
            names |= next_hop_nodes(world.site, rack.switch.name, hops)
    return names


def own_next_hops(world: World, node: Node) -> dict[Address, bool]:
    """For each VIP, whether this node is a next-hop at its ToR."""
    switch = world.site.rack(node.rack).switch
    hops = {g.vip: world.switches.next_hops(switch, g.vip) for g in world.site.gateways}
    return {vip: node.fabric_address in found for vip, found in hops.items()}
