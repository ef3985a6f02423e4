"""N-1 as a join: VIP next-hops in the ToRs' RIBs, Ready gateway pods, and an answer outside."""

from __future__ import annotations

from rollout.checks.facts import Facts, GatewayFacts, Unknown
from rollout.checks.registry import Need, Registry
from rollout.model.gate import Verdict
from rollout.rules.n1 import arithmetic, floor

GATEWAYS = Registry()
JOIN = (Need.RIB, Need.READY, Need.PROBE)
_WORST = (Verdict.CLOSED, Verdict.INCONCLUSIVE, Verdict.OPEN)


@GATEWAYS.check("GW-N1-WITHOUT", *JOIN, hint="bring the missing gateways back, then `rackroll resume`")
def n1_holds_without_the_node(facts: Facts) -> tuple[Verdict, str]:
    """Asked before a node is taken out: would N-1 still hold once it is gone?"""
    leaving = frozenset({facts.node} if facts.node else ())
    return _worst([_join(gateway, leaving) for gateway in facts.gateways])


@GATEWAYS.check("GW-N1-NOW", *JOIN, hint="bring the missing gateways back, then `rackroll resume`")
def n1_holds_now(facts: Facts) -> tuple[Verdict, str]:
    """Asked before anything else moves: are all gateways but at most one serving?"""
    return _worst([_join(gateway, frozenset()) for gateway in facts.gateways])


@GATEWAYS.check(
    "GW-ROUTE-GONE",
    Need.RIB,
    hint="see why the ToR still has the route (`show ip bgp`), then `rackroll resume`",
)
def route_is_gone(facts: Facts) -> tuple[Verdict, str]:
    """A pod that still attracts traffic must not be evicted: eTP Local announces while an endpoint is serving."""
    return _worst([_gone(gateway, facts.node or "") for gateway in facts.gateways])


@GATEWAYS.check("VIP-ANSWERS", Need.PROBE, hint="look at the gateway's log and at the path from outside")
def vips_answer(facts: Facts) -> tuple[Verdict, str]:
    """The only check that a client would agree with."""
    return _worst([_answers(gateway) for gateway in facts.gateways])


def _join(gateway: GatewayFacts, leaving: frozenset[str]) -> tuple[Verdict, str]:
    routed, ready = gateway.routed, gateway.ready
    if isinstance(routed, Unknown):
        return Verdict.INCONCLUSIVE, f"{gateway.gateway}: {routed.detail}"
    if isinstance(ready, Unknown):
        return Verdict.INCONCLUSIVE, f"{gateway.gateway}: {ready.detail}"
    serving = (routed & ready & gateway.nodes) - leaving
    total = len(gateway.nodes)
    if len(serving) < floor(total):
        missing = ", ".join(_absence(n, routed, ready) for n in sorted(gateway.nodes - serving - leaving))
        without = f" without {', '.join(sorted(leaving))}" if leaving else ""
        detail = f"{gateway.gateway}: {arithmetic(len(serving), total)}{without}"
        return Verdict.CLOSED, detail + (f"; {missing}" if missing else "")
    verdict, detail = _answers(gateway)
    return (
        verdict,
        detail if verdict is not Verdict.OPEN else f"{gateway.gateway}: {arithmetic(len(serving), total)}",
    )


def _absence(node: str, routed: frozenset[str], ready: frozenset[str]) -> str:
    if node not in routed:
        return f"{node} is not in its ToR's RIB"
    return f"{node} is not Ready" if node not in ready else f"{node} serves"


def _gone(gateway: GatewayFacts, node: str) -> tuple[Verdict, str]:
    if isinstance(gateway.routed, Unknown):
        return Verdict.INCONCLUSIVE, f"{gateway.gateway}: {gateway.routed.detail}"
    if node in gateway.routed:
        return Verdict.CLOSED, f"{gateway.gateway}: {node} is still a next-hop of {gateway.vip} in its ToR"
    return Verdict.OPEN, f"{gateway.gateway}: {node} is no next-hop of {gateway.vip}"


def _answers(gateway: GatewayFacts) -> tuple[Verdict, str]:
    probe = gateway.probe
    if isinstance(probe, Unknown):
        return Verdict.INCONCLUSIVE, f"{gateway.gateway}: {probe.detail}"
    if probe.tried == 0:
        return Verdict.INCONCLUSIVE, f"{gateway.gateway}: the outside probe sent nothing"
    if probe.ok < probe.tried:
        lost = f"{probe.tried - probe.ok} of {probe.tried} fresh connections to {gateway.vip} failed"
        return Verdict.CLOSED, f"{gateway.gateway}: {lost}" + (f" ({probe.detail})" if probe.detail else "")
    return Verdict.OPEN, f"{gateway.gateway}: {probe.ok} of {probe.tried} fresh connections answered"


def _worst(answers: list[tuple[Verdict, str]]) -> tuple[Verdict, str]:
    """Closed beats Inconclusive beats Open; a site without gateways has nothing to hold for."""
    if not answers:
        return Verdict.OPEN, "this site has no gateways"
    worst = min((verdict for verdict, _ in answers), key=_WORST.index)
    return worst, "; ".join(detail for verdict, detail in answers if verdict is worst)
