"""The modelled stage must tell a good order from a bad one, or its figures would mean nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

from lab.simulated.fabric import LAG_POLLS, SimulatedFabric
from lab.simulated.ports import SimulatedHosts, SimulatedSwitches, answers
from rollout.engine.ports import Cluster
from rollout.model.observed import NodeState, ProxyState
from tests.unit.sites import site


class TwoGateways:
    """A cluster with a gateway on each of two nodes; tests move it by hand."""

    def __init__(self) -> None:
        self.excluded: set[str] = set()
        self.running = {"r1n1", "r2n1"}

    def nodes(self) -> tuple[NodeState, ...]:
        names = ("r1n1", "r2n1")
        return tuple(NodeState(n, True, False, n in self.excluded, None) for n in names)

    def proxies(self) -> tuple[ProxyState, ...]:
        pod = ProxyState("gw", "istio-ingress", None, "istio", "1.30.3", "istio-ingress", True, False)
        return tuple(replace(pod, pod=f"gw-{name}", node=name) for name in sorted(self.running))


def model() -> tuple[TwoGateways, SimulatedFabric]:
    cluster = TwoGateways()
    fabric = SimulatedFabric(cast("Cluster", cluster))
    settle(fabric)
    return cluster, fabric


def settle(fabric: SimulatedFabric) -> None:
    for _ in range(LAG_POLLS + 1):
        fabric.tick()


def lost(fabric: SimulatedFabric) -> int:
    return sum(not answers(fabric, number) for number in range(10))


def test_two_running_gateways_answer_everything() -> None:
    _, fabric = model()
    assert fabric.routed == {"r1n1", "r2n1"}
    assert lost(fabric) == 0


def test_an_eviction_before_the_withdrawal_loses_requests_until_routers_follow() -> None:
    cluster, fabric = model()
    cluster.running.remove("r1n1")
    fabric.tick()
    assert lost(fabric) == 5
    settle(fabric)
    assert lost(fabric) == 0


def test_a_withdrawal_before_the_eviction_loses_nothing() -> None:
    cluster, fabric = model()
    cluster.excluded.add("r1n1")
    for _ in range(LAG_POLLS + 1):
        fabric.tick()
        assert lost(fabric) == 0
    cluster.running.remove("r1n1")
    fabric.tick()
    assert lost(fabric) == 0


def test_a_vip_without_routes_answers_nothing() -> None:
    cluster, fabric = model()
    cluster.excluded |= {"r1n1", "r2n1"}
    settle(fabric)
    assert lost(fabric) == 10


def test_a_switch_has_no_next_hops_before_it_is_configured_and_no_diff_after() -> None:
    small = site()
    _, fabric = model()
    switches = SimulatedSwitches(small, fabric)
    tor, vip = small.switches[0], small.gateways[0].vip
    assert switches.next_hops(tor, vip) == frozenset()
    assert switches.apply(tor).diff
    assert switches.diff(tor).diff == ()
    assert switches.next_hops(tor, vip) == {small.node("r1n1").fabric_address}


def test_a_dry_run_of_simulated_hosts_configures_none() -> None:
    hosts, nodes = SimulatedHosts(), site().nodes
    assert all(outcome.changed for outcome in hosts.configure(nodes, dry_run=True))
    assert all(outcome.changed for outcome in hosts.configure(nodes, dry_run=False))
    assert not any(outcome.changed for outcome in hosts.configure(nodes, dry_run=False))
