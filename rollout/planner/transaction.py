"""The node transaction. Its order is measured, not taste: withdrawing before draining reset 7-13 kept-alive
connections out of 20, this order lost nothing (docs/decisions).
"""

from __future__ import annotations

from rollout.model.site import Pacing
from rollout.model.step import (
    Advertise,
    AwaitAdvertised,
    AwaitNodeReady,
    AwaitWithdrawn,
    Cordon,
    DrainGateways,
    Effect,
    Evict,
    ProbeVips,
    Soak,
    Step,
    Uncordon,
    Withdraw,
)

N1_WITHOUT = "GW-N1-WITHOUT"
N1_NOW = "GW-N1-NOW"
ROUTE_GONE = "GW-ROUTE-GONE"
NODE_FREE = "NODE-FREE"


def move_gateway_node(node: str, mesh: str, version: str, pacing: Pacing) -> tuple[Step, ...]:
    """Every step that takes something away is gated; the way back is not, it can only help."""
    leaving = (N1_WITHOUT, NODE_FREE)
    rows: tuple[tuple[str, Effect, tuple[str, ...]], ...] = (
        ("drain", DrainGateways(node, pacing.drain_wait), leaving),
        ("withdraw", Withdraw(node), leaving),
        ("await-withdrawn", AwaitWithdrawn(node, pacing.fabric_settle), ()),
        ("cordon", Cordon(node), (ROUTE_GONE,)),
        ("evict", Evict(node, mesh, version), (N1_WITHOUT, ROUTE_GONE)),
        ("await-ready", AwaitNodeReady(node, mesh, version), ()),
        ("uncordon", Uncordon(node), ()),
        ("advertise", Advertise(node), ()),
        ("await-advertised", AwaitAdvertised(node), ()),
        ("probe", ProbeVips(pacing.soak_samples), ()),
        ("soak", Soak(pacing.soak, pacing.soak_samples), ()),
    )
    return tuple(Step(f"{mesh}/{node}/{verb}", effect, gates, node) for verb, effect, gates in rows)


def move_worker_node(node: str, mesh: str, version: str) -> tuple[Step, ...]:
    """No VIP is at stake here, but nothing else moves while gateways are short."""
    rows: tuple[tuple[str, Effect, tuple[str, ...]], ...] = (
        ("cordon", Cordon(node), (N1_NOW, NODE_FREE)),
        ("evict", Evict(node, mesh, version), (N1_NOW,)),
        ("await-ready", AwaitNodeReady(node, mesh, version), ()),
        ("uncordon", Uncordon(node), ()),
    )
    return tuple(Step(f"{mesh}/{node}/{verb}", effect, gates, node) for verb, effect, gates in rows)
