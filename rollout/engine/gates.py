"""Ask the checks a step names, inside the attempt: a replayed "open" would be a lie."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import timedelta
from typing import TypeVar

from rollout.checks.catalogue import catalogue
from rollout.checks.facts import Facts, GatewayFacts, Unknown
from rollout.checks.registry import Check, Need
from rollout.engine.context import Run
from rollout.engine.join import routed
from rollout.errors import PlanRefused, Unreachable
from rollout.model.gate import Finding, Verdict
from rollout.model.observed import ProbeResult
from rollout.model.site import Gateway
from rollout.model.step import Step

Fact = TypeVar("Fact")
_NOT_ASKED = Unknown("not asked")


def closed_gates(run: Run, step: Step) -> tuple[Finding, ...]:
    """What holds the step; empty when every gate is Open. Asks again for ``tempo.gate_patience`` before it holds."""
    checks = [_named(name) for name in step.gates]
    deadline = run.clock.now() + run.tempo.gate_patience / timedelta(seconds=1)
    while True:
        run.safe_point()
        facts = gather(run, checks, step.node, probes=run.tempo.gate_probes)
        held = tuple(f for f in (check.find(facts) for check in checks) if f.verdict is not Verdict.OPEN)
        if not held or run.clock.now() >= deadline:
            return held
        run.pause(run.tempo.poll)


def _named(name: str) -> Check:
    found = catalogue().get(name)
    if found is None:
        raise PlanRefused(
            f"the plan names an unknown gate {name}", hint="make the plan again with this version"
        )
    return found


def gather(run: Run, checks: Collection[Check], node: str | None, *, probes: int) -> Facts:
    """Only what these checks need; whoever does not answer becomes Unknown, never a number."""
    needs = frozenset(need for check in checks for need in check.needs)
    gateways = tuple(_gateway(run, gateway, needs, probes) for gateway in run.site.gateways)
    nodes = _known(run.world.cluster.nodes) if Need.NODES in needs else _NOT_ASKED
    return Facts(run.id, node, gateways, nodes)


def _gateway(run: Run, gateway: Gateway, needs: frozenset[Need], probes: int) -> GatewayFacts:
    world = run.world
    return GatewayFacts(
        gateway=gateway.name,
        vip=gateway.vip,
        nodes=frozenset(node.name for node in run.site.gateway_nodes),
        routed=_known(lambda: routed(world, gateway)) if Need.RIB in needs else _NOT_ASKED,
        ready=_known(lambda: world.cluster.ready_gateway_nodes(gateway))
        if Need.READY in needs
        else _NOT_ASKED,
        probe=_known(lambda: probe(run, gateway, probes)) if Need.PROBE in needs else _NOT_ASKED,
    )


def probe(run: Run, gateway: Gateway, samples: int) -> ProbeResult:
    """Fresh connections from outside; those that fail are counted as lost by this run."""
    result = run.world.probe.fetch(gateway, samples)
    run.gauge.lose(result.tried - result.ok)
    return result


def _known(ask: Callable[[], Fact]) -> Fact | Unknown:
    try:
        return ask()
    except Unreachable as error:
        return Unknown(f"{error.where}: {error.message}" if error.where else error.message)
