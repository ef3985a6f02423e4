"""Clocks and connection tables: what closes, what nobody could tell, and whom the text blames."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address

import pytest

from rollout.checks.catalogue import catalogue
from rollout.checks.facts import Absent, ClockFacts, Facts, GatewayFacts, TableFacts, Unknown
from rollout.model.clock import Tracking
from rollout.model.gate import Finding, Verdict
from rollout.model.policy import Policy
from rollout.model.workload import Conntrack

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
SILENT = Unknown("host did not answer")


def tracking(ms: float | None, source: str = "10.0.0.1", heard: timedelta = timedelta(minutes=1)) -> Tracking:
    return Tracking(source, None if ms is None else timedelta(milliseconds=ms), NOW - heard)


def clock(*found: tuple[str, str, Tracking | Unknown], node: str | None = None) -> Finding:
    clocks = tuple(ClockFacts(*one) for one in found)
    facts = Facts("", node, (), (), now=NOW, max_offset=timedelta(milliseconds=50), clocks=clocks)
    return catalogue()["CLOCK-OFFSET"].find(facts)


def room(*found: tuple[str, Conntrack | Unknown], node: str | None = None, gateways: int = 4) -> Finding:
    vip = IPv4Address("203.0.113.1")
    nodes = frozenset(f"g{n}" for n in range(1, gateways + 1))
    gateway = GatewayFacts("ingress", vip, nodes, SILENT, SILENT, SILENT)
    facts = Facts(
        "",
        node,
        (gateway,),
        (),
        policy=Policy(conntrack_limit=0.7),
        tables=tuple(TableFacts(*one) for one in found),
    )
    return catalogue()["CONNTRACK-ROOM"].find(facts)


@pytest.mark.parametrize(
    ("ms", "expected"),
    [(0.0, Verdict.OPEN), (50.0, Verdict.OPEN), (50.1, Verdict.CLOSED), (None, Verdict.CLOSED)],
)
def test_a_clock_is_judged_by_the_sites_own_bound(ms: float | None, expected: Verdict) -> None:
    assert clock(("n1", "r1", tracking(ms)), node="n1").verdict is expected


def test_an_off_clock_is_named_with_offset_source_and_bound() -> None:
    found = clock(("n1", "r1", tracking(250)), node="n1")
    assert "n1: 250.000 ms away from 10.0.0.1, at most 50.000 ms allowed" in found.detail
    assert "chronyc sources" in found.hint


def test_a_clock_that_nobody_could_read_is_inconclusive() -> None:
    found = clock(("n1", "r1", SILENT), node="n1")
    assert found.verdict is Verdict.INCONCLUSIVE
    assert "silence is not health" in found.hint


def test_a_clock_that_hears_nobody_is_not_right_whatever_it_says() -> None:
    fresh = clock(("n1", "r1", tracking(0, heard=timedelta(hours=2, minutes=59))))
    stale = clock(("n1", "r1", tracking(0, heard=timedelta(hours=5))))
    assert fresh.verdict is Verdict.OPEN
    assert stale.verdict is Verdict.CLOSED
    assert "has heard nothing from 10.0.0.1 for 5.0 h" in stale.detail


def test_a_whole_rack_that_is_off_points_at_what_the_rack_shares() -> None:
    found = clock(
        ("n1", "r1", tracking(250, "10.1.0.1")),
        ("n2", "r1", tracking(260, "10.1.0.1")),
        ("n3", "r2", tracking(0)),
        ("n4", "r2", tracking(1)),
    )
    assert found.verdict is Verdict.CLOSED
    assert "every node of r1: look at the time source they share (source 10.1.0.1)" in found.detail
    assert "r2" not in found.detail


def test_one_node_of_a_rack_is_that_nodes_own_fault() -> None:
    found = clock(("n1", "r1", tracking(250)), ("n2", "r1", tracking(0)))
    assert "share" not in found.detail
    assert "share" not in clock(("n1", "r1", tracking(250)), node="n1").detail, "one node is no rack"


def test_hosts_that_say_the_same_share_a_sentence() -> None:
    found = clock(*((f"n{n}", "", SILENT) for n in range(20)))
    assert "n7 and 12 more: host did not answer" in found.detail


def test_a_clock_that_is_off_outweighs_one_that_is_silent() -> None:
    assert clock(("n1", "r1", SILENT), ("n2", "r1", tracking(99))).verdict is Verdict.CLOSED


def test_all_right_clocks_are_summed_up_by_the_furthest() -> None:
    found = clock(("n1", "r1", tracking(1)), ("n2", "r1", tracking(7)))
    assert found.verdict is Verdict.OPEN
    assert "2 within 50.000 ms; the furthest is n2 with 7.000 ms" in found.detail


def test_a_simulation_without_hosts_says_so_and_stays_open() -> None:
    simulated = Absent("simulated: no host here")
    facts = Facts("", "n1", (), (), clocks=simulated, tables=simulated)
    for check in ("CLOCK-OFFSET", "CONNTRACK-ROOM"):
        found = catalogue()[check].find(facts)
        assert (found.verdict, found.detail) == (Verdict.OPEN, simulated.detail)


@pytest.mark.parametrize(
    ("count", "expected"),
    [(0, Verdict.OPEN), (700, Verdict.OPEN), (701, Verdict.CLOSED), (1000, Verdict.CLOSED)],
)
def test_a_table_is_judged_by_the_sites_own_limit(count: int, expected: Verdict) -> None:
    assert room(("g1", Conntrack(count, 1000))).verdict is expected


def test_a_full_table_is_named_with_its_numbers() -> None:
    assert "g1: 800 of 1000 entries (80%), at most 70% allowed" in room(("g1", Conntrack(800, 1000))).detail


def test_a_table_that_nobody_could_read_is_inconclusive() -> None:
    assert room(("g1", SILENT)).verdict is Verdict.INCONCLUSIVE


def test_the_other_gateways_must_hold_what_the_leaving_one_had() -> None:
    """Two gateways at 60 % are under the limit; one of them with both shares would need 120 %."""
    assert room(("g1", Conntrack(600, 1000)), node="g1", gateways=4).verdict is Verdict.OPEN
    two = room(("g1", Conntrack(600, 1000)), node="g1", gateways=2)
    assert two.verdict is Verdict.CLOSED
    assert "120%" in two.detail
    assert room(("w1", Conntrack(600, 1000)), node="w1", gateways=2).verdict is Verdict.OPEN, (
        "a worker's go nowhere"
    )


def test_a_host_that_tracks_nothing_has_nothing_to_fill() -> None:
    assert room(("g1", Conntrack(0, 0))).verdict is Verdict.OPEN


def test_tables_with_room_are_summed_up_by_the_fullest() -> None:
    found = room(("g1", Conntrack(100, 1000)), ("g2", Conntrack(300, 1000)), ("g3", Conntrack(0, 0)))
    assert (found.verdict, found.detail) == (Verdict.OPEN, "3 tables have room; the fullest is g2's with 30%")
