"""Plans of several hops: the path, who shares a walk over the nodes, and what that saves."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from rollout.engine.journal import MemoryJournal
from rollout.engine.observe import observe
from rollout.engine.outcome import Word
from rollout.engine.run import apply
from rollout.model.plan import Hop, PlanKind
from rollout.model.policy import Waves
from rollout.planner.assemble import Hopping
from rollout.planner.hops import leg_of
from rollout.planner.produce import Draft, frame_of
from rollout.planner.refuse import RuleRefused
from rollout.planner.render import render_plan
from rollout.planner.request import Request, asked
from rollout.planner.standing import standing
from rollout.planner.upgrade import plan_upgrade
from rollout.planner.way import way_of
from tests.unit.fake_world import TEMPO, roles, running
from tests.unit.planner_cases import (
    UPGRADE_NODE,
    at_kubernetes,
    kinds,
    request,
    steps,
    waves_of,
    with_kubernetes,
)
from tests.unit.sites import site

DRAFT = Draft(PlanKind.UPGRADE, (), Waves(), site().pacing)


def istio_and_kubernetes() -> Request:
    """The issue's example: Istio 1.27 to 1.31 while Kubernetes goes from 1.33 to 1.36."""
    small = with_kubernetes(site())
    found = at_kubernetes(observe(running(small, "1.27.9")[1]), "v1.33.5")
    return asked(small, found, roles(small), ("istio", "1.31.1"), ("kubernetes", "1.36.1"))


def test_a_target_two_minors_away_is_reached_hop_after_hop_in_one_plan() -> None:
    plan = plan_upgrade(request(site(), ("istio", "1.31.1"), runs="1.29.2"))
    assert [(hop.before, hop.after[:4]) for hop in plan.hops] == [("1.29.2", "1.30"), ("1.30.7", "1.31")]
    keys = [step.key for step in steps(plan)]
    assert len(set(keys)) == len(keys)
    first = max(i for i, key in enumerate(keys) if key.startswith("hop1/"))
    assert first < min(i for i, key in enumerate(keys) if key.startswith("hop2/"))
    assert "path, for one walk over the nodes is not enough:" in render_plan(plan)


def test_via_names_the_release_on_the_way() -> None:
    asked_for = request(site(), ("istio", "1.31.1"), runs="1.29.2")
    plan = plan_upgrade(replace(asked_for, via=(("istio", "1.30.3"),)))
    assert [hop.after for hop in plan.hops] == ["1.30.3", "1.31.1"]


def test_one_hop_needs_no_path() -> None:
    assert plan_upgrade(request(site(), ("istio", "1.31.1"))).hops == ()


def test_istio_and_kubernetes_take_turns_so_that_the_nodes_are_walked_four_times_and_not_five() -> None:
    plan = plan_upgrade(istio_and_kubernetes())
    assert [(c.planned, c.naive) for c in plan.next_hops] == [(32, 40)]
    changes = kinds(plan).count("Withdraw") + kinds(plan).count("Advertise")
    assert changes == 32
    assert len([name for name in waves_of(plan) if "canary node" in name]) == 4


def test_a_nodes_kubelet_and_proxies_move_in_one_visit_the_machine_first() -> None:
    plan = plan_upgrade(istio_and_kubernetes())
    last = [s for s in steps(plan) if s.node == "r1n1" and s.key.startswith("hop4/")]
    assert [type(s.effect).__name__ for s in last][3:10] == [
        "Cordon",
        "EvictAll",
        "RunCommand",
        "AwaitVersion",
        "Evict",
        "AwaitNodeReady",
        "Uncordon",
    ]
    command = next(s.effect for s in last if type(s.effect).__name__ == "RunCommand")
    assert getattr(command, "argv", ()) == (UPGRADE_NODE[0], "1.36.1")


def test_api_servers_move_one_host_after_another_and_before_any_kubelet() -> None:
    plan = plan_upgrade(istio_and_kubernetes())
    hosts = [getattr(s.effect, "host", "") for s in steps(plan) if type(s.effect).__name__ == "RunCommand"]
    assert hosts[:3] == ["cp1", "cp2", "cp3"]
    assert hosts[:9] == ["cp1", "cp2", "cp3"] * 3
    assert set(hosts[9:]) == {"r1n1", "r1n2", "r1n3", "r2n1", "r2n2", "r2n3"}


def test_the_way_alone_names_the_hops_and_which_go_together() -> None:
    words = list(way_of(istio_and_kubernetes()).words())
    assert words[:2] == ["istio: 1.27.9 -> 1.31.1", "kubernetes: 1.33.5 -> 1.36.1"]
    assert sum(word.endswith("(together with the hop before)") for word in words) == 4
    assert list(way_of(request(site(), ("istio", "1.30.3"))).words())[-1] == "nothing to do"


def test_kubernetes_that_the_site_does_not_say_how_to_move_is_a_constraint_only() -> None:
    small = site()
    found = at_kubernetes(observe(running(small)[1]), "v1.35.2")
    with pytest.raises(RuleRefused) as caught:
        plan_upgrade(asked(small, found, roles(small), ("kubernetes", "1.36.1")))
    assert caught.value.rule == "PLAN-CONSTRAINT-01"


def test_an_impossible_target_is_refused_with_the_rules_that_forbid_it() -> None:
    small = site()
    found = at_kubernetes(observe(running(small, "1.30.3")[1]), "v1.31.2")
    with pytest.raises(RuleRefused) as caught:
        plan_upgrade(asked(small, replace(found, kubernetes="v1.31.2"), roles(small), ("istio", "1.31.1")))
    assert caught.value.rule == "PLAN-PATH-01"
    assert "ISTIO-K8S-131" in str(caught.value)


def test_a_subject_is_named_once() -> None:
    with pytest.raises(RuleRefused, match="PLAN-SUBJECT-01: istio is asked for twice"):
        plan_upgrade(request(site(), ("istio", "1.30.7"), ("istio", "1.31.1")))


def test_two_subjects_share_the_visit_of_each_node() -> None:
    small = replace(site(metallb="0.15.2"))
    found = observe(running(small)[1])
    plan = plan_upgrade(asked(small, found, roles(small), ("metallb", "0.16.1"), ("istio", "1.31.1")))
    assert kinds(plan, "r1n1").count("Withdraw") == 1
    assert {"ReplaceAgents", "Evict"} <= set(kinds(plan, "r1n1"))
    assert [(c.planned, c.naive) for c in plan.next_hops] == [(8, 16)]


def test_a_node_whose_kubelet_nobody_saw_is_visited_and_kubelets_that_nobody_saw_at_all_are_refused() -> None:
    small = with_kubernetes(site())
    found = at_kubernetes(observe(running(small)[1]), "v1.35.2")
    done = tuple(
        replace(n, kubelet="v1.36.1") if n.name != "r2n3" else replace(n, kubelet=None) for n in found.nodes
    )
    agents = tuple(a for a in found.agents if a.subject != "kubernetes" or a.component != "kubelet")
    almost = replace(found, nodes=done, agents=agents, kubernetes="v1.36.1")
    near = Hop("kubernetes", "1.36.1", "1.36.1", "kubelet")
    asked_for = asked(small, almost, roles(small), ("kubernetes", "1.36.1"))
    leg = leg_of(asked_for, near)
    walk = Hopping(frame_of(asked_for, DRAFT), (leg,)).build(standing(almost)).waves
    assert {s.node for w in walk for stage in w.stages for s in stage.steps if s.node} == {"r2n3"}
    blind = replace(almost, nodes=tuple(replace(n, kubelet=None) for n in done))
    with pytest.raises(RuleRefused, match="PLAN-OBSERVED-03: no kubelet"):
        leg_of(replace(asked_for, observed=blind), near)


def test_a_plan_of_shared_walks_is_carried_out_without_losing_a_connection(tmp_path: Path) -> None:
    small = with_kubernetes(site(folder=tmp_path))
    rack, live = running(small, "1.29.2")
    plan = plan_upgrade(
        asked(small, observe(live), live.roles, ("istio", "1.31.1"), ("kubernetes", "1.36.1"))
    )
    assert len(plan.hops) == 4
    done = apply(live, plan, MemoryJournal(), clock=rack, tempo=TEMPO)
    assert (done.word, done.steps_done, rack.lost, rack.lowest) == (Word.DONE, plan.steps, 0, 3)
    assert {pod.version for pod in rack.pods.values()} == {"1.31.1"}
    assert {node.kubelet for node in live.cluster.nodes()} == {"v1.36.1"}
