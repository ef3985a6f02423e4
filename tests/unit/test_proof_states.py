"""What a step makes of a fleet, and what the rules find in the states between."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rollout.engine.observe import observe
from rollout.model.mesh import Method
from rollout.model.observed import AgentState, Observed
from rollout.model.plan import Stage, Wave
from rollout.model.proof import Proof
from rollout.model.site import ControlPlaneHost, Site
from rollout.model.step import (
    Advertise,
    AwaitControlPlane,
    AwaitVersion,
    Effect,
    Evict,
    EvictAll,
    InstallChart,
    MoveServer,
    RemoveChart,
    ReplaceAgents,
    Step,
    Withdraw,
)
from rollout.planner.fleet import Fleet, after, during
from rollout.planner.fleet_start import start
from rollout.planner.proof import describe, prove, warnings_of
from rollout.planner.refuse import RuleRefused
from rollout.rules.book import book
from tests.unit.fake_world import roles, running
from tests.unit.sites import site, ssh

OLD, NEW = "1.30.3", "1.31.1"


def seen(small: Site, version: str = OLD) -> Observed:
    return observe(running(small, version)[1])


def fleet(small: Site | None = None) -> Fleet:
    small = small or site()
    return start(small, seen(small), roles(small))


def step(effect: Effect, key: str = "step") -> Step:
    return Step(key, effect)


def through(state: Fleet, *effects: Effect) -> Fleet:
    for effect in effects:
        state = after(state, step(effect))
    return state


def waves(*groups: tuple[Effect, ...]) -> tuple[Wave, ...]:
    """One wave for each group; steps are called after their effect and their place."""
    return tuple(
        Wave(
            f"wave {i}",
            (),
            (Stage("all", tuple(step(e, f"{i}/{j}/{type(e).__name__}") for j, e in enumerate(g))),),
        )
        for i, g in enumerate(groups)
    )


def proof(*groups: tuple[Effect, ...], small: Site | None = None, observed: Observed | None = None) -> Proof:
    small = small or site()
    return prove(small, observed or seen(small), roles(small), book(), waves(*groups))


def refused(
    *groups: tuple[Effect, ...], small: Site | None = None, observed: Observed | None = None
) -> RuleRefused:
    with pytest.raises(RuleRefused) as caught:
        proof(*groups, small=small, observed=observed)
    return caught.value


CHART = InstallChart("istio", "istiod", "istio-system", "istiod", NEW)
HELD = replace(CHART, data_plane=OLD)
CONTROL: tuple[Effect, ...] = (HELD, AwaitControlPlane("istio", NEW), CHART)
"""New proxies are held back until the control plane is there."""


def visit(node: str, version: str = NEW) -> tuple[Effect, ...]:
    return Withdraw(node), Evict(node, "istio", version), Advertise(node)


def test_a_start_counts_nodes_and_not_pods() -> None:
    state = fleet()
    assert state.counts["istio", "proxy"] == {OLD: 6}, (
        "four gateway nodes and two workers, with two proxies on some"
    )
    assert state.counts["istio", "istiod"][OLD] >= 1
    assert (state.serving, state.out, state.dark) == (4, frozenset(), frozenset())


def test_pods_win_over_what_a_chart_says() -> None:
    small = site()
    pod = AgentState("istio", "istiod", "istio-system", "istiod-1", None, "1.29.9", True, False)
    found = replace(seen(small), agents=(pod,))
    assert start(small, found, roles(small)).versions("istio", "istiod") == ("1.29.9",)


def test_a_proxy_moves_with_its_node_and_only_there() -> None:
    state = through(fleet(), Evict("r1n1", "istio", NEW))
    assert state.counts["istio", "proxy"] == {OLD: 5, NEW: 1}
    assert through(state, Evict("r1n1", "istio", NEW)) is state
    assert through(state, Evict("nobody", "istio", NEW)) is state


def test_a_state_is_a_value_that_later_steps_do_not_change() -> None:
    first = fleet()
    second = through(first, *(Evict(f"r{r}n{n}", "istio", NEW) for r in (1, 2) for n in (1, 2, 3)))
    assert (first.versions("istio", "proxy"), second.versions("istio", "proxy")) == ((OLD,), (NEW,))
    assert first.held.on("r1n1") != second.held.on("r1n1")


def test_a_wait_for_a_deployment_has_old_and_new_side_by_side() -> None:
    wait = step(AwaitControlPlane("istio", NEW))
    between = during(fleet(), wait)
    assert between is not None
    assert between.versions("istio", "istiod") == (OLD, NEW)
    assert after(fleet(), wait).versions("istio", "istiod") == (NEW,)
    assert during(after(fleet(), wait), wait) is None, "nothing rolls where everything is there"


def test_only_a_gateway_nodes_withdrawal_costs_a_gateway() -> None:
    assert through(fleet(), Withdraw("r1n1")).serving == 3
    assert through(fleet(), Withdraw("r1n3")).serving == 4
    assert through(fleet(), Withdraw("r1n1"), Advertise("r1n1")).serving == 4


def test_a_drained_nodes_pods_come_back_with_what_is_injected_now() -> None:
    moved = through(fleet(), AwaitControlPlane("istio", NEW), EvictAll("r1n3"))
    assert moved.versions("istio", "proxy") == (OLD, NEW)
    held = through(fleet(), HELD, AwaitControlPlane("istio", NEW), EvictAll("r1n3"))
    assert held.versions("istio", "proxy") == (OLD,), "the chart holds new proxies back"


def test_agents_move_on_their_node_one_component_after_the_other() -> None:
    small = site()
    agents = tuple(
        AgentState(
            "istio", component, "istio-system", f"{component}-{node.name}", node.name, OLD, True, False
        )
        for node in small.nodes
        for component in ("cni", "ztunnel")
    )
    state = start(small, replace(seen(small), agents=agents), roles(small))
    moved = through(state, ReplaceAgents("r1n1", "istio", ("cni", "ztunnel"), NEW))
    assert moved.counts["istio", "cni"] == moved.counts["istio", "ztunnel"] == {OLD: 5, NEW: 1}


def test_a_server_moves_by_its_own_name() -> None:
    small = site()
    pods = tuple(
        AgentState("istio", "server", "consul", f"consul-server-{i}", f"r1n{i + 1}", "1.21.9", True, False)
        for i in range(3)
    )
    state = start(small, replace(seen(small), agents=pods), roles(small))
    moved = through(state, MoveServer("istio", "server", "consul", "consul-server", 2, "1.22.3"))
    assert moved.counts["istio", "server"] == {"1.21.9": 2, "1.22.3": 1}
    assert [row.version for row in moved.held.on("consul-server-2")] == ["1.22.3"]


def revisioned() -> Site:
    small = site()
    return replace(small, meshes=(replace(small.meshes[0], method=Method.REVISION, tag="prod"),))


def test_a_revisions_control_plane_stays_until_its_chart_goes() -> None:
    state = through(
        fleet(revisioned()),
        InstallChart("istio", "istiod-new", "istio-system", "istiod", NEW),
        AwaitControlPlane("istio", NEW),
    )
    assert state.versions("istio", "istiod") == (OLD, NEW)
    others = [name for name in state.releases if name[0] == "istio" and state.releases[name].version == OLD]
    for _, namespace, release in others:
        state = through(state, RemoveChart("istio", release, namespace))
    assert state.versions("istio", "istiod") == (NEW,)


def test_a_control_plane_two_ahead_of_its_proxies_is_refused_with_the_numbers() -> None:
    small = site()
    found = seen(small)
    old = replace(found, proxies=tuple(replace(p, version="1.29.5") for p in found.proxies))
    error = refused(CONTROL, small=small, observed=old)
    assert error.rule == "ISTIO-SKEW-01"
    assert "1.29.5" in str(error)
    assert error.where == "during 0/1/AwaitControlPlane", "it is so as soon as the first new replica runs"


def test_a_data_plane_ahead_of_its_control_plane_is_refused() -> None:
    assert refused(visit("r1n1")).rule == "ISTIO-SKEW-01"


def test_two_gateway_nodes_out_together_are_refused() -> None:
    error = refused((Withdraw("r1n1"), Withdraw("r2n1")))
    assert error.rule == "PLAN-N1-01"
    assert "2 of 4 gateways serve, 3 must" in str(error)


def test_a_control_plane_and_all_gateways_in_one_wave_are_refused() -> None:
    nodes = [f"r{r}n{n}" for r in (1, 2) for n in (1, 2)]
    everything = tuple(e for node in nodes for e in visit(node))
    error = refused((*CONTROL, *everything))
    assert error.rule == "PLAN-WINDOW-01"
    assert proof(CONTROL, everything).windows[1].gateways == 4


def test_a_start_that_breaks_a_rule_may_be_repaired_but_not_made_worse() -> None:
    """Istiod two minors ahead of one node: finishing that node is allowed, moving istiod on is not."""
    small = site()
    found = seen(small, NEW)
    left = tuple(replace(p, version="1.29.5") if p.node == "r1n3" else p for p in found.proxies)
    broken = replace(found, proxies=left)
    said = proof((Evict("r1n3", "istio", NEW),), small=small, observed=broken)
    assert [verdict.rule for verdict in said.found] == ["ISTIO-SKEW-01"]
    assert any("broken already at the start" in warning for warning in warnings_of(said))
    assert all(verdict.holds for verdict in said.configurations[-1].verdicts)
    worse = refused((Evict("r2n3", "istio", "1.29.4"),), small=small, observed=broken)
    assert worse.rule == "ISTIO-SKEW-01"


def clustered() -> Site:
    """Two API servers, so that Kubernetes is moved by the site's own command."""
    small = site()
    hosts = tuple(ControlPlaneHost(f"cp{i}", ssh(f"127.0.9.{i}")) for i in (1, 2))
    return replace(small, kubernetes=replace(small.kubernetes, control_plane=hosts))


def test_every_mesh_is_asked_about_kubernetes_in_every_state() -> None:
    small = clustered()
    goes = AwaitVersion("kubernetes", "apiserver", "1.37.0", None)
    error = refused((AwaitVersion("kubernetes", "apiserver", "1.36.1", None),), (goes,), small=small)
    assert error.rule == "ISTIO-K8S-130"
    assert "1.37.0" in str(error)


def test_an_api_server_that_has_moved_is_a_point_of_no_return_and_the_plan_warns() -> None:
    said = proof((AwaitVersion("kubernetes", "apiserver", "1.36.1", None),), small=clustered())
    assert said.no_return is not None
    assert (said.no_return.step, said.no_return.rule) == ("0/0/AwaitVersion", "K8S-JUMP-01")
    assert any(warning.startswith("point of no return: 0/0/AwaitVersion") for warning in warnings_of(said))


def test_a_mesh_that_goes_down_one_line_again_has_a_way_back() -> None:
    said = proof(CONTROL, *(visit(f"r{r}n{n}") for r in (1, 2) for n in (1, 2)))
    assert said.no_return is None
    assert [(undo.before, undo.after) for undo in said.undo] == [(NEW, OLD)]


def test_a_version_that_no_rule_can_place_is_said_and_not_passed_over() -> None:
    small = site()
    found = seen(small)
    odd = tuple(replace(p, version="1.99.0") if p.node == "r1n3" else p for p in found.proxies)
    said = describe(small, replace(found, proxies=odd), roles(small), book(), ())
    assert len(said.unchecked) == 1
    assert "1.99.0" in said.unchecked[0]
    error = refused(CONTROL, small=small, observed=replace(found, proxies=odd))
    assert error.rule == "PLAN-OBSERVED-02", "what moves must be in reach of the rules"


def test_configurations_are_few_however_many_nodes_move() -> None:
    small = site((2,) * 12, workers=4)
    nodes = [node.name for node in small.nodes]
    said = proof(CONTROL, *((Evict(node, "istio", NEW),) for node in nodes), small=small)
    assert len(said.states) == len(nodes) + 3
    assert len(said.configurations) == 5


def test_a_pod_that_restarts_while_the_control_plane_rolls_must_not_run_ahead_of_it() -> None:
    """Without a pin a proxy injected now is new while an old istiod may still answer it."""
    error = refused((CHART, AwaitControlPlane("istio", NEW)))
    assert error.rule == "ISTIO-SKEW-01"
    assert error.where.startswith("if a pod restarts at 0/1/AwaitControlPlane")
    assert proof(CONTROL, visit("r1n1")).no_return is None


def test_letting_new_proxies_go_before_their_control_plane_is_there_is_refused() -> None:
    held = InstallChart("istio", "istiod", "istio-system", "istiod", OLD, NEW)
    assert refused((held,)).rule == "ISTIO-SKEW-01"
