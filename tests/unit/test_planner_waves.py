"""Waves: who goes first, who goes together, and that gateway nodes never do."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rollout.model.policy import Waves
from rollout.model.step import Advertise, Cordon, Soak, Uncordon, Withdraw
from rollout.planner.layout import layout
from rollout.planner.upgrade import plan_upgrade
from tests.unit.planner_cases import in_feeds, kinds, request, seconds, steps, waves_of, with_waves
from tests.unit.sites import site

NEXT = ("istio", "1.31.1")


def names(small: object, **waves: object) -> list[tuple[str, ...]]:
    """The racks of each wave."""
    tuned = with_waves(small, **waves)  # type: ignore[arg-type]
    everyone = {node.name for node in tuned.nodes}
    return [group.racks for group in layout(tuned, everyone, tuned.policy.waves)]


def test_the_canary_is_one_gateway_node_of_the_first_rack_that_has_one_and_then_its_rack() -> None:
    plan = plan_upgrade(request(site((0, 2, 2)), NEXT))
    assert waves_of(plan)[:4] == ["before", "control plane", "canary node r2n1", "canary rack r2"]
    assert kinds(plan, "r2n1")[0] == "DrainGateways"


def test_failure_domains_take_turns_so_that_no_feed_is_all_new_while_another_is_all_old() -> None:
    small = in_feeds(site((1,) * 4), "a", "a", "b", "b")
    assert names(small, max_share=0.25) == [("r1",), ("r1",), ("r3",), ("r2",), ("r4",)]


def test_waves_double_up_to_their_share_of_the_racks_within_one_domain() -> None:
    small = in_feeds(site((1,) * 12), *("a" * 6 + "b" * 6))
    sizes = [len(racks) for racks in names(small, max_share=0.34)]
    assert sizes == [1, 1, 2, 4, 4, 1], "canary node and rack of a, then b, a, b, and what a has left"


def test_a_site_of_one_rack_is_a_canary_node_and_its_rack() -> None:
    assert names(site((2,))) == [("r1",), ("r1",)]


def test_without_canaries_the_first_wave_is_as_large_as_the_second_would_be() -> None:
    small = in_feeds(site((1,) * 8), *("a" * 8))
    assert names(small, canary_node=False, canary_rack=False, max_share=1.0)[0] == ("r1", "r2")


@settings(max_examples=60, deadline=None)
@given(
    racks=st.lists(st.integers(0, 2), min_size=1, max_size=8),
    feeds=st.integers(1, 4),
    growth=st.floats(1.0, 4.0),
    share=st.floats(0.01, 1.0),
    canaries=st.tuples(st.booleans(), st.booleans()),
)
def test_every_node_is_in_one_wave_and_no_wave_spans_two_domains(
    racks: list[int], feeds: int, growth: float, share: float, canaries: tuple[bool, bool]
) -> None:
    small = site(tuple(racks), workers=1, feeds=feeds)
    waves = Waves(canaries[0], canaries[1], growth, share)
    groups = layout(small, {node.name for node in small.nodes}, waves)
    visited = [node.name for group in groups for node in group.nodes]
    assert sorted(visited) == sorted(node.name for node in small.nodes)
    for group in groups:
        assert len({small.rack(name).failure_domain for name in group.racks}) == 1
        assert len(group.racks) <= max(1, int(share * len(racks)))


@settings(max_examples=20, deadline=None)
@given(
    racks=st.lists(st.integers(0, 3), min_size=2, max_size=4).filter(lambda counts: sum(counts) >= 2),
    workers=st.integers(1, 3),
    at_once=st.integers(1, 4),
)
def test_one_gateway_node_is_out_at_a_time_and_no_more_workers_than_allowed(
    racks: list[int], workers: int, at_once: int
) -> None:
    small = with_waves(site(tuple(racks), workers=workers, feeds=1), workers_at_once=at_once)
    gateways = {node.name for node in small.gateway_nodes}
    withdrawn: set[str] = set()
    cordoned: set[str] = set()
    for step in steps(plan_upgrade(request(small, NEXT))):
        match step.effect:
            case Withdraw(node=node):
                withdrawn.add(node)
            case Advertise(node=node):
                withdrawn.remove(node)
            case Cordon(node=node):
                cordoned.add(node)
            case Uncordon(node=node):
                cordoned.remove(node)
            case _:
                pass
        assert len(withdrawn) <= 1
        assert len(cordoned - gateways) <= at_once
        assert not (cordoned - gateways and cordoned & gateways)
    assert not withdrawn | cordoned


def test_workers_of_a_batch_leave_together_and_come_back_together() -> None:
    small = with_waves(site((2, 2), workers=2), workers_at_once=2)
    moved = [
        s.key.split("/")[-2:] for s in steps(plan_upgrade(request(small, NEXT))) if s.node in {"r2n3", "r2n4"}
    ]
    pairs = [("cordon", "evict", "await-ready", "uncordon"), ("r2n3", "r2n4")]
    assert moved == [[node, verb] for verb in pairs[0] for node in pairs[1]]


@pytest.mark.parametrize(("soak", "samples"), [(60.0, 0), (0.0, 500)])
def test_a_wave_ends_with_a_longer_look_where_the_site_asks_for_one(soak: float, samples: int) -> None:
    small = with_waves(site(), wave_soak=seconds(soak), wave_samples=samples)
    plan = plan_upgrade(request(small, NEXT))
    walks = [wave for wave in plan.waves if wave.name not in {"before", "after", "control plane"}]
    assert len(walks) == 3
    for wave in walks:
        assert wave.stages[-1].name == "outside"
        assert wave.stages[-1].steps[-1].effect == Soak(seconds(soak), samples)
    assert all(w.stages[-1].name != "outside" for w in plan_upgrade(request(site(), NEXT)).waves[2:])


def test_no_wave_holds_a_control_plane_together_with_gateways() -> None:
    for wave in plan_upgrade(request(site((2, 2)), NEXT, runs="1.29.2")).waves:
        effects = {type(step.effect).__name__ for stage in wave.stages for step in stage.steps}
        assert not ({"InstallChart", "AwaitControlPlane"} & effects and "Withdraw" in effects)
