"""Open, Closed, Inconclusive: what each check says, and that no answer is never a number."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from rollout.checks.catalogue import catalogue
from rollout.checks.facts import Facts, GatewayFacts, Unknown
from rollout.checks.registry import DuplicateCheck, Need, Registry
from rollout.model.gate import Verdict
from rollout.model.observed import NodeState, ProbeResult
from rollout.planner import gates
from rollout.planner.refuse import OURS
from rollout.rules.book import book

DOCS = Path(__file__).parents[2] / "docs" / "checks.md"
VIP = IPv4Address("203.0.113.1")
ALL = frozenset({"a", "b", "c", "d"})
FINE = GatewayFacts("ingress", VIP, ALL, routed=ALL, ready=ALL, probe=ProbeResult(VIP, 5, 5))
SILENT = Unknown("tor-r1: did not answer")


def verdict(check: str, gateway: GatewayFacts, node: str | None = "a") -> tuple[Verdict, str]:
    finding = catalogue()[check].find(Facts("run-1", node, (gateway,), ()))
    return finding.verdict, finding.detail


def test_n_minus_1_holds_without_the_node_when_all_others_serve() -> None:
    assert verdict("GW-N1-WITHOUT", FINE)[0] is Verdict.OPEN
    without_a = replace(FINE, routed=ALL - {"a"}, ready=ALL - {"a"})
    assert verdict("GW-N1-WITHOUT", without_a)[0] is Verdict.OPEN, "its own absence is not held against it"


@pytest.mark.parametrize("fact", ["routed", "ready"])
def test_n_minus_1_is_a_join_so_either_side_can_close_it(fact: str) -> None:
    found, detail = verdict("GW-N1-WITHOUT", replace(FINE, **{fact: ALL - {"b"}}))  # type: ignore[arg-type]
    assert found is Verdict.CLOSED
    assert "2 of 4 gateways serve, 3 must" in detail
    assert "b is not" in detail


def test_nodes_missing_on_different_sides_add_up() -> None:
    apart = replace(FINE, routed=ALL - {"b"}, ready=ALL - {"c"})
    assert verdict("GW-N1-NOW", apart)[0] is Verdict.CLOSED
    assert verdict("GW-N1-NOW", replace(FINE, routed=ALL - {"b"}))[0] is Verdict.OPEN


@pytest.mark.parametrize("fact", ["routed", "ready", "probe"])
@pytest.mark.parametrize("check", ["GW-N1-WITHOUT", "GW-N1-NOW"])
def test_a_silent_tor_is_inconclusive_not_zero_and_not_fine(check: str, fact: str) -> None:
    found, detail = verdict(check, replace(FINE, **{fact: SILENT}))  # type: ignore[arg-type]
    assert found is Verdict.INCONCLUSIVE
    assert "tor-r1" in detail


def test_a_vip_that_loses_fresh_connections_closes_the_gate() -> None:
    lossy = replace(FINE, probe=ProbeResult(VIP, 5, 4, "1 x timeout"))
    found, detail = verdict("GW-N1-WITHOUT", lossy)
    assert found is Verdict.CLOSED
    assert "1 of 5" in detail
    assert "timeout" in detail


def test_a_probe_that_sent_nothing_proves_nothing() -> None:
    assert verdict("VIP-ANSWERS", replace(FINE, probe=ProbeResult(VIP, 0, 0)))[0] is Verdict.INCONCLUSIVE


def test_a_vip_is_never_emptied_even_where_n_minus_1_is_zero() -> None:
    lone = GatewayFacts("ingress", VIP, frozenset({"a"}), frozenset({"a"}), frozenset({"a"}), FINE.probe)
    assert verdict("GW-N1-WITHOUT", lone)[0] is Verdict.CLOSED


def test_the_worst_vip_decides() -> None:
    bad = replace(FINE, gateway="other", ready=frozenset())
    facts = Facts("run-1", "a", (FINE, replace(FINE, probe=SILENT), bad), ())
    finding = catalogue()["GW-N1-WITHOUT"].find(facts)
    assert finding.verdict is Verdict.CLOSED
    assert finding.detail.startswith("other")
    assert "docs/checks.md#gw-n1-without" in finding.hint


def test_the_route_must_be_gone_before_anything_is_evicted() -> None:
    assert verdict("GW-ROUTE-GONE", FINE)[0] is Verdict.CLOSED
    assert verdict("GW-ROUTE-GONE", replace(FINE, routed=ALL - {"a"}))[0] is Verdict.OPEN
    assert verdict("GW-ROUTE-GONE", replace(FINE, routed=SILENT))[0] is Verdict.INCONCLUSIVE


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (NodeState("a", True, False, False, None), Verdict.OPEN),
        (NodeState("a", True, True, True, "run-1"), Verdict.OPEN),
        (NodeState("a", True, True, False, None), Verdict.CLOSED),
        (NodeState("a", True, False, True, "run-0"), Verdict.CLOSED),
        (NodeState("z", True, False, False, None), Verdict.INCONCLUSIVE),
    ],
)
def test_a_node_is_free_unless_someone_elses_mark_is_on_it(state: NodeState, expected: Verdict) -> None:
    finding = catalogue()["NODE-FREE"].find(Facts("run-1", "a", (), (state,)))
    assert finding.verdict is expected


def test_a_site_without_gateways_has_nothing_to_hold_for() -> None:
    for check in ("GW-N1-WITHOUT", "GW-N1-NOW", "GW-ROUTE-GONE"):
        assert catalogue()[check].find(Facts("run-1", "a", (), ())).verdict is Verdict.OPEN


def test_one_id_cannot_name_two_checks() -> None:
    registry = Registry()
    registry.check("X-1", Need.RIB, hint="")(lambda _: (Verdict.OPEN, ""))
    with pytest.raises(DuplicateCheck):
        registry.check("X-1", Need.RIB, hint="")(lambda _: (Verdict.OPEN, ""))


def test_gates_that_plans_name_are_checks_that_exist() -> None:
    named = {value for name, value in vars(gates).items() if name.isupper() and isinstance(value, str)}
    assert len(named) > 5
    assert named <= set(catalogue())


def test_every_id_has_its_anchor_in_the_documentation() -> None:
    text = DOCS.read_text(encoding="utf-8")
    for id in (*catalogue(), *OURS, *book().ids):
        assert f'<a id="{id.lower()}"></a>' in text, f"docs/checks.md lacks an entry for {id}"
