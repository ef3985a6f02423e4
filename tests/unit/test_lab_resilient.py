"""The resilient table repeats FRR's routes and replaces groups in place."""

from __future__ import annotations

import json

from lab.fabric.resilient import HIGHEST_ID, Hop, Table, changes, host_routes

A: Hop = ("10.0.0.1", "rack0")
B: Hop = ("10.0.0.2", "rack0")
VIP = "203.0.113.1"

KERNEL = """[
 {"dst": "10.90.2.0/24", "nhid": 20, "gateway": "10.255.128.0", "dev": "up0", "flags": []},
 {"dst": "203.0.113.1", "nhid": 24, "metric": 20, "flags": [], "nexthops": [
   {"gateway": "10.0.0.1", "dev": "rack0", "weight": 1, "flags": []},
   {"gateway": "10.0.0.2", "dev": "rack0", "weight": 1, "flags": []}]},
 {"dst": "203.0.113.2", "nhid": 25, "gateway": "10.0.0.1", "dev": "rack0", "flags": []},
 {"dst": "203.0.113.3", "gateway": "10.0.0.1", "dev": "rack0", "flags": ["dead", "linkdown"]},
 {"dst": "default", "gateway": "10.0.0.1", "dev": "rack0", "flags": []}
]"""


def test_only_host_routes_with_living_next_hops_are_vips() -> None:
    assert host_routes(json.loads(KERNEL)) == {VIP: frozenset({A, B}), "203.0.113.2": frozenset({A})}


def test_a_returning_next_hop_reuses_the_group_and_leaves_the_route_alone() -> None:
    table = Table()
    first = list(changes(table, {VIP: frozenset({A, B})}))
    assert sum(line.startswith("route replace") for line in first) == 1
    group = table.groups[VIP]
    for hops in (frozenset({A}), frozenset({A, B})):
        lines = list(changes(table, {VIP: hops}))
        assert [line.split()[3] for line in lines] == [str(group)]
        assert "type resilient" in lines[0]


def test_a_lone_next_hop_is_in_its_group_twice_or_the_kernel_would_not_see_its_flows() -> None:
    table = Table()
    group = next(line for line in changes(table, {VIP: frozenset({A})}) if " group " in line)
    members = group.split()[group.split().index("group") + 1].split("/")
    assert len(set(members)) == 2
    assert tuple(int(member) for member in members) == table.hops[A]


def test_nothing_changes_while_frr_says_the_same() -> None:
    table = Table()
    list(changes(table, {VIP: frozenset({A, B})}))
    assert list(changes(table, {VIP: frozenset({B, A})})) == []


def test_a_vip_that_frr_lost_falls_back_to_the_main_table() -> None:
    table = Table()
    list(changes(table, {VIP: frozenset({A})}))
    group = table.groups[VIP]
    assert list(changes(table, {})) == [f"route del {VIP} table 100", f"nexthop del id {group}"]
    assert not table.routes


def test_ids_go_down_so_that_zebra_which_counts_up_never_takes_one() -> None:
    table = Table()
    list(changes(table, {VIP: frozenset({A, B}), "203.0.113.2": frozenset({A})}))
    used = [*(twin for twins in table.hops.values() for twin in twins), *table.groups.values()]
    assert len(set(used)) == len(used)
    assert max(used) == HIGHEST_ID
