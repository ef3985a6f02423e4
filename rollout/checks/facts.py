"""What checks are told. A fact that could not be had is ``Unknown`` and says who did not answer: never a zero."""

from __future__ import annotations

from dataclasses import dataclass

from rollout.model.observed import NodeState, ProbeResult
from rollout.model.site import Address


@dataclass(frozen=True, slots=True)
class Unknown:
    """The far end did not answer; ``detail`` names it."""

    detail: str


@dataclass(frozen=True, slots=True)
class GatewayFacts:
    """One VIP. ``nodes`` should serve it; ``routed`` are next-hops at their own ToR, ``ready`` have a Ready pod."""

    gateway: str
    vip: Address
    nodes: frozenset[str]
    routed: frozenset[str] | Unknown
    ready: frozenset[str] | Unknown
    probe: ProbeResult | Unknown


@dataclass(frozen=True, slots=True)
class Facts:
    """``run`` asks: what it took out itself is not held against it. ``node`` is the one about to move."""

    run: str
    node: str | None
    gateways: tuple[GatewayFacts, ...]
    nodes: tuple[NodeState, ...] | Unknown
