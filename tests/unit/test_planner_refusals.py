"""An illegal plan is refused before it exists: rule, numbers, source, fix."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from rollout.engine.observe import observe
from rollout.errors import PlanRefused
from rollout.model.observed import Observed
from rollout.model.plan import Options, Plan
from rollout.model.policy import Approval, Purpose
from rollout.model.site import Site
from rollout.planner.bringup import plan_bringup
from rollout.planner.naive import plan_naive_upgrade
from rollout.planner.refuse import OURS, RuleRefused
from rollout.planner.request import asked
from rollout.planner.upgrade import plan_upgrade
from tests.unit.fake_world import roles, running
from tests.unit.sites import site


def seen(small: Site, version: str = "1.30.3") -> Observed:
    return observe(running(small, version)[1])


def upgrade(small: Site, observed: Observed, to: str, subject: str = "istio") -> Plan:
    return plan_upgrade(asked(small, observed, roles(small), (subject, to)))


def refused(small: Site, observed: Observed, to: str, subject: str = "istio") -> RuleRefused:
    with pytest.raises(RuleRefused) as caught:
        upgrade(small, observed, to, subject)
    assert caught.value.exit_code == 3
    assert caught.value.hint, "every refusal says what to do"
    assert caught.value.rule in str(caught.value)
    return caught.value


def test_two_minors_in_one_jump_are_refused_with_the_arithmetic_and_the_source() -> None:
    small = site()
    asked_for = replace(asked(small, seen(small, "1.29.2"), roles(small), ("istio", "1.31.1")), one_jump=True)
    with pytest.raises(RuleRefused) as caught:
        plan_upgrade(asked_for)
    assert caught.value.rule == "ISTIO-JUMP-01"
    assert "1.29.2 -> 1.31.1 is 2 minors, allowed -1..+1" in str(caught.value)
    assert "istio.io" in str(caught.value)
    assert "2026-11-23" in str(caught.value)


def test_a_data_plane_left_two_behind_is_refused_in_one_jump() -> None:
    small = site()
    found = seen(small, "1.30.3")
    old = replace(found.proxies[0], version="1.29.5")
    behind = replace(found, proxies=(old, *found.proxies[1:]))
    with pytest.raises(RuleRefused) as caught:
        plan_upgrade(replace(asked(small, behind, roles(small), ("istio", "1.31.1")), one_jump=True))
    assert caught.value.rule == "ISTIO-SKEW-01"
    assert "2 minors behind" in str(caught.value)


def test_a_downgrade_is_refused() -> None:
    small = site()
    assert refused(small, seen(small, "1.31.1"), "1.30.3").rule == "ISTIO-DOWN-01"


def test_a_control_plane_below_the_data_plane_is_refused_too() -> None:
    small = site()
    found = seen(small)
    newer = tuple(replace(proxy, version="1.31.2") for proxy in found.proxies)
    assert refused(small, replace(found, proxies=newer), "1.31.1").rule == "ISTIO-DOWN-01"


@pytest.mark.parametrize("version", ["latest", "1.31", "stable", "", "v1.x", "1.31.*"])
def test_a_floating_version_is_refused(version: str) -> None:
    small = site()
    assert refused(small, seen(small), version).rule == "PLAN-VERSION-01"


def test_an_unknown_release_line_is_refused() -> None:
    small = site()
    error = refused(small, seen(small), "1.77.0")
    assert error.rule == "PLAN-VERSION-02"
    assert "1.31" in str(error), "the known lines are named"


def test_a_kubernetes_outside_the_range_is_refused() -> None:
    small = site()
    found = replace(seen(small), kubernetes="v1.38.0")
    assert refused(small, found, "1.31.1").rule == "ISTIO-K8S-131"


@pytest.mark.parametrize("subject", ["linkerd", "metal-lb", ""])
def test_a_subject_that_the_site_lacks_is_refused(subject: str) -> None:
    small = site()
    assert refused(small, seen(small), "1.31.1", subject).rule == "PLAN-SUBJECT-01"


def test_what_is_not_installed_is_not_upgraded() -> None:
    small = site()
    assert refused(small, replace(seen(small), charts=()), "1.31.1").rule == "PLAN-OBSERVED-01"


def test_a_proxy_of_unreadable_version_is_refused_by_name() -> None:
    small = site()
    found = seen(small)
    odd = replace(found.proxies[0], version="unknown")
    error = refused(small, replace(found, proxies=(odd, *found.proxies[1:])), "1.31.1")
    assert error.rule == "PLAN-OBSERVED-01"
    assert odd.pod in str(error)


def test_a_single_gateway_is_never_taken_out() -> None:
    small = site((1,))
    assert refused(small, seen(small), "1.31.1").rule == "PLAN-N1-01"


def test_a_site_that_is_already_at_n_minus_1_is_refused_with_the_arithmetic() -> None:
    small = site()
    rack, world = running(small)
    rack.rib["ingress-1", "r2n1"] = False
    error = refused(small, observe(world), "1.31.1")
    assert error.rule == "PLAN-N1-02"
    assert "3 of 4 gateways serve, 3 must" in str(error)
    assert "would leave 2" in str(error)
    assert "r2n1 is not in its ToR's RIB" in str(error)


def test_two_gateways_with_one_missing_are_refused() -> None:
    small = site((1, 1), feeds=1)
    rack, world = running(small)
    rack.rib["ingress-1", "r2n1"] = False
    assert refused(small, observe(world), "1.31.1").rule == "PLAN-N1-02"


@pytest.mark.parametrize(("mark", "owner"), [("cordoned", None), ("cordoned", "abc-1"), ("excluded", None)])
def test_a_node_that_someone_marked_is_not_worked_around(mark: str, owner: str | None) -> None:
    small = site()
    found = seen(small)
    marks = {mark: True}
    marked = replace(found.nodes[0], **marks, owner=owner)  # type: ignore[arg-type]
    error = refused(small, replace(found, nodes=(marked, *found.nodes[1:])), "1.31.1")
    assert error.rule == "PLAN-OWNED-01"
    assert (owner or "someone else") in str(error)


def test_a_release_in_mid_operation_is_refused() -> None:
    small = site()
    found = seen(small)
    charts = tuple(replace(c, status="pending-upgrade") if c.release == "istiod" else c for c in found.charts)
    assert refused(small, replace(found, charts=charts), "1.31.1").rule == "PLAN-CHART-01"


def test_a_metallb_that_cannot_withdraw_one_node_is_refused() -> None:
    small = site(metallb="0.13.12")
    assert refused(small, seen(small), "1.31.1").rule == "PLAN-DRAIN-01"


def test_metallb_0_14_9_is_planned_with_a_warning_that_cordons_withdraw() -> None:
    small = site(metallb="0.14.9")
    assert upgrade(small, seen(small), "1.31.1").warnings[0].startswith("METALLB-CORDON-01")


def test_bringup_never_moves_what_runs_at_another_version() -> None:
    small = site(version="1.30.3")
    with pytest.raises(RuleRefused) as caught:
        plan_bringup(asked(small, seen(small, "1.31.1"), roles(small)))
    assert caught.value.rule == "PLAN-VERSION-03"
    assert "set istio's version in the site file to 1.31.1" in caught.value.hint


def test_the_negative_control_still_obeys_the_skew_rules() -> None:
    small = site()
    with pytest.raises(PlanRefused, match="ISTIO-JUMP-01"):
        plan_naive_upgrade(asked(small, seen(small, "1.29.2"), roles(small), ("istio", "1.31.1")))


def test_every_rule_of_ours_has_words() -> None:
    assert all(words and not words.endswith(".") for words in OURS.values())


def test_a_rack_whose_loss_would_empty_a_vip_while_a_gateway_is_out_is_refused_with_the_arithmetic() -> None:
    small = site((2, 1))
    error = refused(small, seen(small), "1.31.1")
    assert error.rule == "PLAN-N1-03"
    assert "3 gateway nodes, 2 of them in failure domain feed-1 (rack r1)" in str(error)
    assert "while r2n1 is out, losing feed-1 leaves 3 - 2 - 1 = 0" in str(error)


def test_breaking_the_glass_overrides_it_is_said_loudly_and_has_to_be_signed() -> None:
    small = site((2, 1))
    reason = Options(break_glass="CVE-2026-1234 is exploited")
    plan = plan_upgrade(asked(small, seen(small), roles(small), ("istio", "1.31.1"), options=reason))
    assert plan.warnings[0] == "BREAK-GLASS: CVE-2026-1234 is exploited"
    assert any(
        text.startswith("PLAN-N1-03 overridden by break-glass: 3 gateway nodes") for text in plan.warnings
    )
    assert [(s.purpose, s.people) for s in plan.signatures] == [("break-glass", 1)]


def test_breaking_the_glass_never_overrides_n_minus_1_itself() -> None:
    small = site((1,))
    with pytest.raises(RuleRefused, match="PLAN-N1-01"):
        plan_upgrade(
            asked(small, seen(small), roles(small), ("istio", "1.31.1"), options=Options(break_glass="now"))
        )


def test_where_all_gateways_share_one_failure_domain_the_plan_warns() -> None:
    small = site((2, 2), feeds=1)
    assert any(
        "all 4 gateway nodes are in failure domain feed-1" in w
        for w in upgrade(small, seen(small), "1.31.1").warnings
    )


def test_a_plan_carries_the_signatures_that_the_site_asks_for() -> None:
    small = site()
    policy = replace(small.policy, approvals=(Approval(Purpose.UPGRADE, 2), Approval(Purpose.ROLLBACK, 1)))
    plan = upgrade(replace(small, policy=policy), seen(small), "1.31.1")
    assert [(s.purpose, s.people) for s in plan.signatures] == [("upgrade", 2)]


def test_what_runs_at_a_line_that_no_rule_knows_is_refused() -> None:
    small = site()
    found = seen(small)
    odd = replace(found.proxies[0], version="1.12.4")
    error = refused(small, replace(found, proxies=(odd, *found.proxies[1:])), "1.31.1")
    assert error.rule == "PLAN-OBSERVED-02"
    assert odd.pod in str(error)
    charts = tuple(replace(c, version="1.12.4") if c.release == "istiod" else c for c in found.charts)
    assert refused(small, replace(found, charts=charts), "1.31.1").rule == "PLAN-OBSERVED-02"


def test_agents_that_nobody_saw_are_not_up_to_date() -> None:
    small = site(metallb="0.15.2")
    found = seen(small)
    unseen = replace(found, agents=tuple(a for a in found.agents if a.component != "speaker"))
    assert refused(small, unseen, "0.16.1", "metallb").rule == "PLAN-OBSERVED-03"


def test_old_rules_are_said_to_be_old_and_fresh_ones_are_not() -> None:
    small = site()
    today = asked(small, seen(small), roles(small), ("istio", "1.31.1"))
    read = today.book.oldest({"istio"})
    fresh = plan_upgrade(replace(today, today=read + timedelta(days=90)))
    assert not any("rules older than" in warning for warning in fresh.warnings)
    assert fresh.rules_as_of == read.isoformat()
    old = plan_upgrade(replace(today, today=read + timedelta(days=91)))
    assert any("rules older than 90 days: istio of" in warning for warning in old.warnings)


def test_a_patch_that_the_rules_have_not_seen_is_said_and_not_refused() -> None:
    small = site()
    plan = upgrade(small, seen(small), "1.31.99")
    assert any("1.31.99: the newest 1.31 that the rules have seen is" in warning for warning in plan.warnings)
