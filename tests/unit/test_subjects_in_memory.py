"""Every subject's plan, checked by the independent verifier, run to its end on the rack in memory, and taken back.

Simulated: no chart is rendered and no cluster is there. What is real is the planner, the rules, the roles, the engine.
"""

from __future__ import annotations

import pytest

from rollout.engine.journal import MemoryJournal
from rollout.engine.observe import observe
from rollout.engine.outcome import Word
from rollout.engine.ports import World
from rollout.engine.run import apply
from rollout.model.mesh import Method
from rollout.model.plan import Plan
from rollout.planner.codec import dump
from rollout.planner.refuse import RuleRefused
from rollout.planner.request import asked
from rollout.planner.rollback import plan_rollback
from rollout.planner.upgrade import plan_upgrade
from rollout.verify.check import check
from rollout.verify.data import read_rules
from tests.unit import subject_sites as sites
from tests.unit.fake_rack import FakeRack
from tests.unit.fake_world import TEMPO
from tests.unit.test_golden_subjects import CASES, Case

RULES = read_rules(None)
TWO_MINORS = Case(
    "two-minors-by-revision",
    lambda: sites.istio(version="1.29.2", method=Method.REVISION, tag="prod"),
    ("istio", "1.31.1"),
)
PATCHES = (
    Case("ambient-patch", sites.ambient, ("istio", "1.30.7"), sidecars=False),
    Case("linkerd-patch", lambda: sites.linkerd("edge-26.6.3", "viz"), ("linkerd", "edge-26.7.1"), lowest=4),
    Case("metallb-patch", sites.istio, ("metallb", "0.16.2")),
)
RETURN = (*(case for case in CASES if case.name in {"istio-in-place", "istio-revision", "cilium"}), *PATCHES)
"""What upstream supports going back from."""

NO_RETURN = {
    "istio-ambient": "AMBIENT-JUMP-01",
    "linkerd": "LINKERD-JUMP-01",
    "consul": "CONSUL-JUMP-01",
    "metallb": "METALLB-JUMP-01",
    "kubernetes": "K8S-JUMP-01",
}


def go(rack: FakeRack, live: World, plan: Plan) -> None:
    """The plan is right by the verifier's own arithmetic, and doing it loses nothing."""
    assert check(dump(plan), RULES).counts["steps"] == plan.steps
    outcome = apply(live, plan, MemoryJournal(), clock=rack, tempo=TEMPO)
    assert (outcome.word, outcome.detail) == (Word.DONE, "")


def running(live: World) -> set[tuple[str, str, str]]:
    found = observe(live)
    agents = {(a.subject, a.component, a.version) for a in found.agents if not a.terminating}
    return agents | {(p.mesh, "proxy", p.version) for p in found.proxies if not p.terminating}


@pytest.mark.parametrize("case", [*CASES, TWO_MINORS, *PATCHES], ids=lambda case: case.name)
def test_every_subject_is_moved_to_the_end_and_then_there_is_nothing_to_do(case: Case) -> None:
    rack, live = case.scene()
    go(rack, live, plan_upgrade(case.request(live)))
    assert (rack.lowest, rack.lost, rack.marked()) == (case.lowest, 0, [])
    assert plan_upgrade(case.request(live)).steps == 0


def test_two_minors_by_revision_are_one_hop_and_in_place_they_are_two() -> None:
    _, live = TWO_MINORS.scene()
    assert plan_upgrade(TWO_MINORS.request(live)).hops == (), "no path is needed where one hop does it"
    in_place = Case("in-place", lambda: sites.istio(version="1.29.2"), ("istio", "1.31.1"))
    _, live = in_place.scene()
    assert [hop.after[:4] for hop in plan_upgrade(in_place.request(live)).hops] == ["1.30", "1.31"]


@pytest.mark.parametrize("case", RETURN, ids=lambda case: case.name)
def test_what_upstream_can_take_back_is_taken_back_without_loss(case: Case) -> None:
    rack, live = case.scene()
    before = running(live)
    forward = plan_upgrade(case.request(live))
    go(rack, live, forward)
    assert running(live) != before
    go(rack, live, plan_rollback(asked(live.site, observe(live), live.roles), forward))
    assert running(live) == before
    assert (rack.lowest, rack.lost, rack.marked()) == (case.lowest, 0, [])


@pytest.mark.parametrize(
    "case", [case for case in CASES if case.name in NO_RETURN], ids=lambda case: case.name
)
def test_what_upstream_cannot_take_back_is_refused_by_the_rule_that_the_plan_named(case: Case) -> None:
    rack, live = case.scene()
    forward = plan_upgrade(case.request(live))
    assert any(f"point of no return: {case.target[0]}/" in warning for warning in forward.warnings)
    go(rack, live, forward)
    with pytest.raises(RuleRefused) as caught:
        plan_rollback(asked(live.site, observe(live), live.roles), forward)
    assert caught.value.rule == NO_RETURN[case.name]
    assert any(caught.value.rule in warning for warning in forward.warnings)


@pytest.mark.parametrize(
    ("case", "rule"),
    [
        (Case("k", sites.istio, ("kubernetes", "1.36.1")), "PLAN-CONSTRAINT-01"),
        (Case("c", lambda: sites.consul(backup=()), ("consul", "1.22.3")), "PLAN-BACKUP-01"),
        (
            Case("v", lambda: sites.cilium("{}"), ("cilium", "1.20.3"), {"kubernetes": "1.34.2"}),
            "PLAN-VALUES-01",
        ),
        (Case("r", sites.consul, ("consul", "1.22.9")), "PLAN-CHART-02"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_a_role_has_no_way_for_is_refused_under_its_own_rule_with_a_fix(case: Case, rule: str) -> None:
    _, live = case.scene()
    with pytest.raises(RuleRefused) as caught:
        plan_upgrade(case.request(live))
    assert (caught.value.rule, caught.value.exit_code, caught.value.where) == (rule, 3, case.target[0])
    assert caught.value.hint
