"""N-1 as a join: VIP next-hops in the ToRs' RIBs, Ready gateway pods, and an answer outside."""

from __future__ import annotations

from rollout.checks.facts import Facts, GatewayFacts, Unknown
from rollout.checks.registry import Answer, Need, Registry, worst
from rollout.model.gate import Verdict
from rollout.rules.n1 import arithmetic, floor

GATEWAYS = Registry()
JOIN = (Need.RIB, Need.READY, Need.PROBE)
NONE = "this site has no gateways"


@GATEWAYS.check("GW-N1-WITHOUT", *JOIN, hint="bring the missing gateways back, then `rackroll resume`")
def n1_holds_without_the_node(facts: Facts) -> Answer:
    """Would N-1 still hold once the node (any one, for a whole site) is gone?"""
    return worst([_without(gateway, facts.node) for gateway in facts.gateways], NONE)


@GATEWAYS.check("GW-N1-NOW", *JOIN, hint="bring the missing gateways back, then `rackroll resume`")
def n1_holds_now(facts: Facts) -> Answer:
    """Are all gateways but at most one serving, in the RIB and Ready and answering?"""
    return worst([_join(gateway, frozenset()) for gateway in facts.gateways], NONE)


@GATEWAYS.check(
    "GW-ROUTE-GONE",
    Need.RIB,
    hint="see why the ToR still has the route (`show ip bgp`), then `rackroll resume`",
    standing=False,
)
def route_is_gone(facts: Facts) -> Answer:
    """Is the node no next-hop any more? A terminating pod is announced while it serves: it must not be evicted."""
    return worst([_gone(gateway, facts.node or "") for gateway in facts.gateways], NONE)


@GATEWAYS.check("VIP-ANSWERS", Need.PROBE, hint="look at the gateway's log and at the path from outside")
def vips_answer(facts: Facts) -> Answer:
    """Do fresh connections from outside get an answer? The only check that a client would agree with."""
    return worst([_answers(gateway) for gateway in facts.gateways], NONE)


def _without(gateway: GatewayFacts, node: str | None) -> Answer:
    """For a whole site each gateway node is thought away in turn; the first that is missed most is told."""
    leaving = (node,) if node else tuple(sorted(gateway.nodes))
    answers = [_join(gateway, frozenset({one})) for one in leaving] or [_join(gateway, frozenset())]
    verdict, _ = worst(answers, NONE)
    return next(answer for answer in answers if answer[0] is verdict)


def _join(gateway: GatewayFacts, leaving: frozenset[str]) -> Answer:
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


def _gone(gateway: GatewayFacts, node: str) -> Answer:
    if isinstance(gateway.routed, Unknown):
        return Verdict.INCONCLUSIVE, f"{gateway.gateway}: {gateway.routed.detail}"
    if node in gateway.routed:
        return Verdict.CLOSED, f"{gateway.gateway}: {node} is still a next-hop of {gateway.vip} in its ToR"
    return Verdict.OPEN, f"{gateway.gateway}: {node} is no next-hop of {gateway.vip}"


def _answers(gateway: GatewayFacts) -> Answer:
    probe = gateway.probe
    if isinstance(probe, Unknown):
        return Verdict.INCONCLUSIVE, f"{gateway.gateway}: {probe.detail}"
    if probe.tried == 0:
        return Verdict.INCONCLUSIVE, f"{gateway.gateway}: the outside probe sent nothing"
    if probe.ok < probe.tried:
        lost = f"{probe.tried - probe.ok} of {probe.tried} fresh connections to {gateway.vip} failed"
        return Verdict.CLOSED, f"{gateway.gateway}: {lost}" + (f" ({probe.detail})" if probe.detail else "")
    return Verdict.OPEN, f"{gateway.gateway}: {probe.ok} of {probe.tried} fresh connections answered"
