"""``--limit`` and ``--start-at``: which nodes, in words an Ansible user knows, and nothing by accident."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rollout.model.plan import Options
from rollout.planner.refuse import RuleRefused
from rollout.planner.select import chosen
from rollout.planner.upgrade import plan_upgrade
from tests.unit.planner_cases import in_feeds, request, steps, waves_of
from tests.unit.sites import site

NEXT = ("istio", "1.31.1")
SMALL = in_feeds(site((2, 1, 2)), "feed-a", "feed-b", "feed-a")


@pytest.mark.parametrize(
    ("limit", "nodes"),
    [
        ("rack:r2", "r2n1 r2n2"),
        ("r1n1", "r1n1"),
        ("r1n1, r3n3", "r1n1 r3n3"),
        ("r1n*", "r1n1 r1n2 r1n3"),
        ("r[13]n1", "r1n1 r3n1"),
        ("rack:r1,!r1n2", "r1n1 r1n3"),
        ("!rack:r1", "r2n1 r2n2 r3n1 r3n2 r3n3"),
        ("group:workers", "r1n3 r2n2 r3n3"),
        ("group:gateways,!rack:r[12]", "r3n1 r3n2"),
        ("domain:feed-b", "r2n1 r2n2"),
        ("domain:feed-a,&group:workers", "r1n3 r3n3"),
        ("rack:r1,&r*n1,!r1n1,", ""),
        ("", "r1n1 r1n2 r1n3 r2n1 r2n2 r3n1 r3n2 r3n3"),
        ("all,!group:gateways", "r1n3 r2n2 r3n3"),
    ],
)
def test_a_limit_means_these_nodes(limit: str, nodes: str) -> None:
    if nodes:
        assert sorted(chosen(SMALL, limit)) == nodes.split()
    else:
        with pytest.raises(RuleRefused, match=r"PLAN-LIMIT-01: --limit .* leaves no node"):
            chosen(SMALL, limit)


@pytest.mark.parametrize(
    ("limit", "next_"),
    [
        ("rack:r22", "did you mean r2"),
        ("r1n11", "did you mean r1n1"),
        ("rack:", "it has r1, r2, r3"),
        ("domain:north", "it has feed-a, feed-b"),
        ("racks:r1", "did you mean rack"),
        ("group:gateway", "did you mean gateways"),
        ("!r9n9,zzz", "it has r1n1"),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest_one(limit: str, next_: str) -> None:
    with pytest.raises(RuleRefused) as caught:
        chosen(SMALL, limit)
    assert (caught.value.rule, caught.value.exit_code) == ("PLAN-LIMIT-01", 3)
    assert next_ in caught.value.hint


def test_a_limited_plan_moves_the_control_plane_and_only_these_nodes_and_says_who_stays() -> None:
    plan = plan_upgrade(request(site(), NEXT, options=Options(limit="rack:r2,!r2n2")))
    assert {step.node for step in steps(plan) if step.node} == {"r2n1", "r2n3"}
    assert "istio/control-plane" in {step.key for step in steps(plan)}
    assert "--limit rack:r2,!r2n2: 4 of 6 nodes are not touched and stay as they are" in plan.warnings


def test_a_limit_that_leaves_nodes_two_behind_is_refused_by_the_skew_rule_where_it_breaks() -> None:
    asked_for = request(site(), NEXT, runs="1.29.2", options=Options(limit="rack:r1"))
    with pytest.raises(RuleRefused) as caught:
        plan_upgrade(asked_for)
    assert caught.value.rule == "ISTIO-SKEW-01"
    assert "1.29.2" in str(caught.value)


def test_start_at_skips_what_comes_before_in_the_plans_own_order() -> None:
    plan = plan_upgrade(request(site((2, 2, 2)), NEXT, options=Options(start_at="rack:r2")))
    assert waves_of(plan)[2:-1] == ["canary node r2n1", "canary rack r2", "rack r3"]
    assert any(text.startswith("--start-at rack:r2: 3 of 9 nodes") for text in plan.warnings)
    late = plan_upgrade(request(site((2, 2, 2)), NEXT, options=Options(start_at="r3n2")))
    assert {step.node for step in steps(late) if step.node} == {"r3n2", "r3n3"}


def test_an_unknown_start_is_refused() -> None:
    with pytest.raises(RuleRefused, match="PLAN-LIMIT-01"):
        plan_upgrade(request(site(), NEXT, options=Options(start_at="rack:r7")))


def test_what_was_asked_for_stands_in_the_plan_and_changes_its_id() -> None:
    asked_for = request(site(), NEXT, options=Options(limit="all", max_fail=2))
    plan = plan_upgrade(asked_for)
    assert (plan.options.limit, plan.options.max_fail) == ("all", 2)
    assert plan.id != plan_upgrade(replace(asked_for, options=Options(limit="all"))).id
