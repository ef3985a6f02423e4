"""The N-1 join, read live: which of our nodes are next-hops of a VIP at their own ToR."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from rollout.engine.ports import World
from rollout.model.mesh import Gateway
from rollout.model.site import Address, Node, Switch
from rollout.rules.n1 import next_hop_nodes

AT_ONCE = 8
"""ToRs that are asked side by side: a sample of 250 racks stays under a second, and no ToR is asked twice at once."""

FEW = 3
"""Up to so many ToRs threads cost more than they save."""


def routed(world: World, gateway: Gateway) -> frozenset[str]:
    """Over all ToRs of racks that have gateway nodes. Raises Unreachable if any of them is silent."""
    return routed_by_vip(world, (gateway,))[gateway.vip]


def routed_by_vip(world: World, gateways: Sequence[Gateway]) -> dict[Address, frozenset[str]]:
    """:func:`routed` for several VIPs at once: each ToR is turned to once, and several ToRs side by side."""
    switches = [rack.switch for rack in world.site.racks if any(node.gateway for node in rack.nodes)]
    tables = zip(switches, next_hops_of(world, switches, gateways), strict=True)
    found: dict[Address, frozenset[str]] = {gateway.vip: frozenset() for gateway in gateways}
    for switch, table in tables:
        for vip, hops in table.items():
            found[vip] |= next_hop_nodes(world.site, switch.name, hops)
    return found


def next_hops_of(
    world: World, switches: Sequence[Switch], gateways: Sequence[Gateway]
) -> list[dict[Address, frozenset[Address]]]:
    """One table for each switch, in their order. At most :data:`AT_ONCE` of them are asked at a time."""

    def table(switch: Switch) -> dict[Address, frozenset[Address]]:
        return {g.vip: world.switches.next_hops(switch, g.vip) for g in gateways}

    if len(switches) <= FEW:
        return [table(switch) for switch in switches]
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="tor") as pool:
        return list(pool.map(table, switches))


def own_next_hops(world: World, node: Node) -> dict[Address, bool]:
    """For each VIP, whether this node is a next-hop at its ToR."""
    switch = world.site.rack(node.rack).switch
    hops = {g.vip: world.switches.next_hops(switch, g.vip) for g in world.site.gateways}
    return {vip: node.fabric_address in found for vip, found in hops.items()}
