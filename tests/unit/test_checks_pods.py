"""Budgets, images and injection: the eviction API's arithmetic, and whom a finding names."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rollout.checks.catalogue import catalogue
from rollout.checks.facts import Absent, Facts, ImageFacts, InjectionFacts, Unknown
from rollout.model.gate import Finding, Verdict
from rollout.model.workload import Budget, NodeImages, PodState, Requirement, Selector

EVERY = Selector()
CART = Selector((Requirement("app", "In", ("cart",)),))
SILENT = Unknown("kubernetes: the API does not answer")


def pod(name: str, app: str = "cart", node: str = "n1", ready: bool = True) -> PodState:
    return PodState("shop", name, node, {"app": app}, ready=ready)


def budget(
    name: str = "cart",
    allowed: int = 1,
    healthy: int = 3,
    desired: int = 2,
    expected: int = 3,
    **rest: object,
) -> Budget:
    base = Budget("shop", name, CART, allowed, healthy, desired, expected)
    return replace(base, **rest)  # type: ignore[arg-type]


def drain(pods: object, budgets: object = ()) -> Finding:
    facts = Facts("", "n1", (), (), leaving=pods, budgets=budgets)  # type: ignore[arg-type]
    return catalogue()["PDB-ALLOWS"].find(facts)


def test_a_budget_with_room_lets_the_pod_go() -> None:
    assert drain((pod("a"),), (budget(),)).verdict is Verdict.OPEN
    assert drain((pod("a"),)).verdict is Verdict.OPEN
    assert drain(()).detail == "no pod has to leave"


def test_a_budget_without_room_closes_and_is_named_with_its_arithmetic() -> None:
    found = drain((pod("a"),), (budget(allowed=0, healthy=2),))
    assert found.verdict is Verdict.CLOSED
    assert "shop/a may not leave: the budget shop/cart allows none now (2 healthy, 2 must be)" in found.detail


@pytest.mark.parametrize(("desired", "expected"), [(1, 1), (3, 3), (5, 3)])
def test_a_budget_that_can_never_allow_is_called_that(desired: int, expected: int) -> None:
    found = drain((pod("a"),), (budget(allowed=0, healthy=3, desired=desired, expected=expected),))
    assert "can never allow it" in found.detail


def test_a_second_pod_waits_for_the_first_and_that_is_no_refusal() -> None:
    found = drain((pod("a"), pod("b")), (budget(allowed=1),))
    assert found.verdict is Verdict.OPEN
    assert "2 pods may leave, waiting on shop/cart in between" in found.detail
    assert "waiting" not in drain((pod("a"), pod("b")), (budget(allowed=2),)).detail


def test_budgets_of_other_pods_and_namespaces_have_no_say() -> None:
    elsewhere = budget(allowed=0, namespace="pay")
    assert drain((pod("a"),), (elsewhere,)).verdict is Verdict.OPEN
    assert drain((pod("a", app="list"),), (budget(allowed=0),)).verdict is Verdict.OPEN
    assert drain((pod("a"),), (budget(allowed=0, selector=None),)).verdict is Verdict.OPEN
    assert drain((pod("a", app="list"),), (budget(allowed=0, selector=EVERY),)).verdict is Verdict.CLOSED


def test_a_pod_under_two_budgets_is_refused_as_the_api_does() -> None:
    found = drain((pod("a"),), (budget("one"), budget("two", selector=EVERY)))
    assert found.verdict is Verdict.CLOSED
    assert "shop/one and shop/two" in found.detail


def test_a_pod_that_is_not_ready_may_go_while_enough_others_are() -> None:
    broken = pod("a", ready=False)
    assert drain((broken,), (budget(allowed=0, healthy=2, desired=2),)).verdict is Verdict.OPEN
    assert drain((broken,), (budget(allowed=0, healthy=1, desired=2),)).verdict is Verdict.CLOSED
    spared = budget(allowed=0, healthy=1, desired=2, spare_unready=True)
    assert drain((broken,), (spared,)).verdict is Verdict.OPEN


def test_a_pod_that_has_not_started_is_held_by_no_budget() -> None:
    pending = replace(pod("a", ready=False), pending=True)
    both = (budget("one", allowed=0, healthy=0), budget("two", allowed=0, healthy=0))
    assert drain((pending,), both).verdict is Verdict.OPEN


def test_a_budget_that_was_not_counted_since_its_change_is_inconclusive() -> None:
    assert drain((pod("a"),), (budget(seen=False),)).verdict is Verdict.INCONCLUSIVE


def test_a_silent_api_is_inconclusive_on_either_side() -> None:
    assert drain(SILENT, ()).verdict is Verdict.INCONCLUSIVE
    assert drain((pod("a"),), SILENT).verdict is Verdict.INCONCLUSIVE


def test_each_node_is_drained_for_itself() -> None:
    """A whole site: nobody drains all nodes at once, so what one uses up is not held against the next."""
    found = drain((pod("a", node="n1"), pod("b", node="n2")), (budget(allowed=1),))
    assert found.verdict is Verdict.OPEN
    assert "waiting" not in found.detail


def images(wanted: tuple[str, ...], found: NodeImages | Unknown) -> Finding:
    facts = Facts("", "n1", (), (), images=(ImageFacts("n1", wanted, found),))
    return catalogue()["IMAGES-PRESENT"].find(facts)


def test_images_that_are_there_open_and_one_that_lacks_is_named() -> None:
    both = ("docker.io/istio/proxyv2:1.30.3", "docker.io/istio/proxyv2:1.31.1")
    assert images(both, NodeImages(frozenset(both))).verdict is Verdict.OPEN
    found = images(both, NodeImages(frozenset(both[:1])))
    assert (found.verdict, found.detail) == (Verdict.CLOSED, f"n1 lacks {both[1]}")
    assert "crictl pull" in found.hint


def test_a_list_that_the_kubelet_cut_proves_nothing_missing() -> None:
    assert images(("a:1",), NodeImages(frozenset(), complete=False)).verdict is Verdict.INCONCLUSIVE
    assert images(("a:1",), NodeImages(frozenset({"a:1"}), complete=False)).verdict is Verdict.OPEN
    assert images(("a:1",), SILENT).verdict is Verdict.INCONCLUSIVE


def test_images_that_the_site_does_not_require_open_with_that_word() -> None:
    facts = Facts("", "n1", (), (), images=Absent("not required (policy.images is off)"))
    found = catalogue()["IMAGES-PRESENT"].find(facts)
    assert (found.verdict, found.detail) == (Verdict.OPEN, "not required (policy.images is off)")


def drift(*pods: PodState, versions: frozenset[str] | None = frozenset({"1.30.3", "1.31.1"})) -> Finding:
    facts = Facts("", None, (), (), injection=(InjectionFacts("istio", pods, versions),))
    return catalogue()["INJECTION-DRIFT"].find(facts)


def with_proxy(name: str, version: str) -> PodState:
    return replace(pod(name), proxy=("istio", version))


def test_every_pod_with_a_proxy_of_either_version_is_no_drift() -> None:
    assert drift(with_proxy("a", "1.30.3"), with_proxy("b", "1.31.1")).verdict is Verdict.OPEN
    assert drift().verdict is Verdict.OPEN


def test_a_pod_without_a_proxy_or_with_a_third_version_is_named() -> None:
    found = drift(pod("bare"), with_proxy("old", "1.28.0"), with_proxy("fine", "1.30.3"))
    assert found.verdict is Verdict.CLOSED
    assert "without a proxy: shop/bare" in found.detail
    assert "not at 1.30.3 or 1.31.1: shop/old at 1.28.0" in found.detail
    assert "fine" not in found.detail


def test_a_mesh_that_does_not_move_may_run_any_version_but_needs_its_proxies() -> None:
    assert drift(with_proxy("old", "1.28.0"), versions=None).verdict is Verdict.OPEN
    assert drift(pod("bare"), versions=None).verdict is Verdict.CLOSED


def test_injection_that_nobody_could_read_is_inconclusive() -> None:
    facts = Facts("", None, (), (), injection=SILENT)
    assert catalogue()["INJECTION-DRIFT"].find(facts).verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize(
    ("requirement", "labels", "holds"),
    [
        (Requirement("a", "In", ("1", "2")), {"a": "2"}, True),
        (Requirement("a", "In", ("1",)), {}, False),
        (Requirement("a", "NotIn", ("1",)), {}, True),
        (Requirement("a", "NotIn", ("1",)), {"a": "1"}, False),
        (Requirement("a", "Exists"), {"a": ""}, True),
        (Requirement("a", "DoesNotExist"), {"a": ""}, False),
        (Requirement("a", "Gt", ("1",)), {"a": "2"}, False),
    ],
)
def test_selectors_hold_as_kubernetes_defines_them(
    requirement: Requirement, labels: dict[str, str], holds: bool
) -> None:
    assert Selector((requirement,)).matches(labels) is holds
