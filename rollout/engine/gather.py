"""Facts for checks: each is asked for once, and only if a check needs it. Silence becomes Unknown, never a number.

Gates and ``rackroll check`` both come through here, so they cannot disagree.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TypeVar

from rollout.checks.facts import NOT_ASKED, Absent, Alerts, Facts, GatewayFacts, Unknown
from rollout.checks.registry import Check, Need
from rollout.engine.context import Run
from rollout.engine.gather_hosts import clocks, skews, tables
from rollout.engine.gather_pods import images, injection, leaving
from rollout.engine.join import routed
from rollout.engine.ports import NoRights, NoWorkloads
from rollout.errors import RackrollError
from rollout.model.mesh import Gateway
from rollout.model.observed import ProbeResult
from rollout.model.rights import Right

Fact = TypeVar("Fact")


def gather(run: Run, checks: Collection[Check], node: str | None, *, probes: int) -> Facts:
    """``node`` None asks about the whole site; a gate asks about the node that is about to move."""
    needs = frozenset(need for check in checks for need in check.needs)
    workloads = run.world.workloads
    return Facts(
        run=run.id,
        node=node,
        gateways=tuple(_gateway(run, gateway, needs, probes) for gateway in run.site.gateways),
        nodes=known(lambda: run.world.cluster.nodes(node)) if Need.NODES in needs else NOT_ASKED,
        policy=run.site.policy,
        now=run.today(),
        break_glass=run.aims.break_glass,
        alerts=_alerts(run) if Need.ALERTS in needs else NOT_ASKED,
        max_offset=run.site.clock.max_offset,
        clocks=clocks(run, node) if Need.CLOCK in needs else (),
        skews=skews(run, node) if Need.SKEW in needs else (),
        tables=tables(run, node) if Need.CONNTRACK in needs else (),
        leaving=_pods(run, lambda: leaving(run, node)) if Need.EVICTION in needs else NOT_ASKED,
        budgets=known(workloads.budgets) if Need.EVICTION in needs else NOT_ASKED,
        images=_pods(run, lambda: images(run, node)) if Need.IMAGES in needs else NOT_ASKED,
        injection=_pods(run, lambda: injection(run, node)) if Need.INJECTION in needs else NOT_ASKED,
        rights=_rights(run) if Need.RIGHTS in needs else NOT_ASKED,
    )


def _gateway(run: Run, gateway: Gateway, needs: frozenset[Need], probes: int) -> GatewayFacts:
    world = run.world
    return GatewayFacts(
        gateway=gateway.name,
        vip=gateway.vip,
        nodes=frozenset(node.name for node in run.site.gateway_nodes),
        routed=known(lambda: routed(world, gateway)) if Need.RIB in needs else NOT_ASKED,
        ready=known(lambda: world.cluster.ready_gateway_nodes(gateway)) if Need.READY in needs else NOT_ASKED,
        probe=known(lambda: probe(run, gateway, probes)) if Need.PROBE in needs else NOT_ASKED,
    )


def _pods(run: Run, ask: Callable[[], Fact]) -> Fact | Unknown | Absent:
    """A world that was never given pods to look at is a simulation; the real one is always wired with them."""
    if isinstance(run.world.workloads, NoWorkloads):
        return Absent("simulated: there are no pods to look at here")
    return known(ask)


def _rights(run: Run) -> tuple[Right, ...] | Unknown | Absent:
    if isinstance(run.world.rights, NoRights):
        return Absent("simulated: there is no user whose rights could be missing")
    return known(run.world.rights.missing)


def _alerts(run: Run) -> Alerts | Unknown | Absent:
    source = run.site.policy.alerts
    if source is None:
        return Absent("no alert source configured")
    return known(lambda: run.world.metrics.series(source))


def probe(run: Run, gateway: Gateway, samples: int) -> ProbeResult:
    """Fresh connections from outside; those that fail are counted as lost by this run."""
    result = run.world.probe.fetch(gateway, samples)
    run.gauge.lose(result.tried - result.ok)
    return result


def known(ask: Callable[[], Fact]) -> Fact | Unknown:
    """Whoever does not answer, or answers what makes no sense, is named."""
    try:
        return ask()
    except RackrollError as error:
        return Unknown(f"{error.where}: {error.message}" if error.where else error.message)
