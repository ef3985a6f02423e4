"""The N-1 arithmetic in one place, so that the planner's proof, the gates and the sampler cannot disagree.

A gateway node serves a VIP while it is a next-hop in its own ToR's routing table *and* its gateway pod
is Ready.
"""

from __future__ import annotations

from collections.abc import Collection

from rollout.model.site import Address, Site

RULE = "GW-N1"


def floor(total: int) -> int:
    """How many of ``total`` must keep serving: all but one, and never none (no VIP is emptied to move it)."""
    return max(total - 1, 1)


def next_hop_nodes(site: Site, switch: str, next_hops: Collection[Address]) -> frozenset[str]:
    """Our gateway nodes among one ToR's next-hops; a node counts at its own rack's ToR only."""
    return frozenset(
        node.name
        for rack in site.racks
        if rack.switch.name == switch
        for node in rack.nodes
        if node.gateway and node.fabric_address in next_hops
    )


def arithmetic(serving: int, total: int) -> str:
    return f"{serving} of {total} gateways serve, {floor(total)} must"
