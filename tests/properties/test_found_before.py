"""What random fleets have found, each as the small fleet that shows it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rollout.cli.world import roles_of
from rollout.model.mesh import DataPlane, MeshKind, Method
from rollout.model.step import RemoveChart
from rollout.planner.codec import dump
from rollout.planner.refuse import RuleRefused
from rollout.planner.upgrade import plan_upgrade
from rollout.verify.check import check
from rollout.verify.data import read_rules
from tests.properties.fleets import Case, mesh, observed
from tests.unit import sites


def fleet(kind: MeshKind, before: str, after: str, method: Method = Method.IN_PLACE, vips: int = 0) -> Case:
    """Three racks with a gateway node and a worker each, one mesh at ``before`` that is to go to ``after``."""
    one = mesh("m", kind, DataPlane.SIDECAR, before, vips, method=method)
    site = replace(sites.site((1, 1, 1), workers=1), meshes=(one,))
    roles = dict(roles_of(site))
    seen = observed(site, roles, {"metallb": "0.16.1", "m": before}, "v1.33.13")
    return Case(site, seen, roles, (("m", after),))


def removed(case: Case) -> list[str]:
    plan = plan_upgrade(case.request)
    check(dump(plan), read_rules(None))
    return [s.effect.release for *_, s in plan.numbered() if isinstance(s.effect, RemoveChart)]


def test_a_limit_keeps_the_revision_that_proxies_elsewhere_still_answer_to() -> None:
    case = fleet(MeshKind.ISTIO, "1.30.7", "1.31.1", Method.REVISION)
    assert removed(case) == ["istiod-1-30-7"]
    assert removed(replace(case, limit="rack:r1")) == []


def test_a_dataplane_is_not_judged_by_its_subjects_lines_where_their_numbers_meet() -> None:
    """Consul 2.0's dataplane is 2.0, the one before it is 1.9: no line of Consul's, and no reason to refuse."""
    plan = plan_upgrade(fleet(MeshKind.CONSUL, "1.22.7", "2.0.3").request)
    assert plan.steps > 0


def test_an_unreadable_dataplane_is_not_checked_by_the_verifier_and_breaks_no_file() -> None:
    case = fleet(MeshKind.CONSUL, "1.22.7", "2.0.3")
    odd = tuple(replace(proxy, version="latest") for proxy in case.observed.proxies)
    case = replace(case, observed=replace(case.observed, proxies=odd), targets=(("metallb", "0.16.1"),))
    check(dump(plan_upgrade(case.request)), read_rules(None))


def test_a_gateway_that_is_told_to_leave_counts_as_missing_although_it_still_announces() -> None:
    case = fleet(MeshKind.ISTIO, "1.30.7", "1.31.1", vips=1)
    nodes = tuple(replace(n, excluded=n.name == "r3n1") for n in case.observed.nodes)
    case = replace(case, observed=replace(case.observed, nodes=nodes), limit="rack:r1")
    with pytest.raises(RuleRefused, match="r3n1 is excluded from load balancers and about to go") as refused:
        plan_upgrade(case.request)
    assert refused.value.rule == "PLAN-N1-02"
