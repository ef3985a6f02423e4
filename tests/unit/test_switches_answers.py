"""FRR's answers: understood, or an error; never silently nothing."""

from __future__ import annotations

import json
from ipaddress import ip_address
from typing import Any

import pytest

from rollout.adapters.switches.answers import next_hops, peers
from rollout.adapters.switches.reload import checked, diff_lines
from rollout.adapters.switches.session import Answer
from rollout.engine.ports import PeerState
from rollout.errors import StepFailed

VIP = ip_address("203.0.113.1")


def path(hop: str, **flags: Any) -> dict[str, Any]:
    return {"valid": True, "nexthops": [{"ip": hop, "afi": "ipv4", "used": True}], **flags}


def table(*paths: dict[str, Any], prefix: str = "203.0.113.1/32") -> str:
    return json.dumps({"prefix": prefix, "paths": list(paths)})


def test_multipaths_and_the_best_path_are_next_hops() -> None:
    text = table(
        path("10.90.1.11", multipath=True, bestpath={"overall": True}),
        path("10.90.1.12", multipath=True),
        path("10.255.128.0"),
    )
    assert next_hops(text, VIP) == {ip_address("10.90.1.11"), ip_address("10.90.1.12")}


def test_a_single_best_path_needs_no_multipath_flag() -> None:
    assert next_hops(table(path("10.90.1.11", bestpath={"overall": True})), VIP) == {ip_address("10.90.1.11")}


def test_an_invalid_path_is_no_next_hop() -> None:
    text = table(
        path("10.90.1.11", multipath=True) | {"valid": False}, path("10.90.1.12", bestpath={"overall": True})
    )
    assert next_hops(text, VIP) == {ip_address("10.90.1.12")}


def test_frrs_empty_object_means_not_in_the_table() -> None:
    assert next_hops("{\n}\n", VIP) == frozenset()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "% Network not in table",
        "bgpd is not running",
        "[]",
        "null",
        '{"warning": "Default BGP instance not found"}',
        '{"prefix": "203.0.113.1/32"}',
        table(path("10.90.1.11", multipath=True), prefix="203.0.113.0/28"),
        table({"valid": True, "multipath": True}),
        table({"valid": True, "multipath": True, "nexthops": []}),
        '{"prefix": "203.0.113.1/32", "paths": [',
    ],
)
def test_any_other_answer_is_an_error_not_an_empty_set(text: str) -> None:
    with pytest.raises(StepFailed, match="not understood"):
        next_hops(text, VIP)


def summary(**states: str) -> str:
    names = {"a": "10.90.1.11", "b": "10.90.1.12", "up": "10.255.128.0"}
    return json.dumps({"ipv4Unicast": {"peers": {names[k]: {"state": v} for k, v in states.items()}}})


def test_peers_join_bgp_and_bfd() -> None:
    bfd = json.dumps([{"peer": "10.90.1.11", "status": "up"}, {"peer": "10.90.1.12", "status": "down"}])
    seen = peers(summary(a="Established", b="Active", up="Established"), bfd, frozenset())
    assert seen == (
        PeerState(ip_address("10.90.1.11"), True, True),
        PeerState(ip_address("10.90.1.12"), False, False),
        PeerState(ip_address("10.255.128.0"), True, None),
    )


def test_a_missing_bfd_session_of_a_node_that_should_have_one_is_down_not_unused() -> None:
    (state,) = peers(summary(a="Established"), "[]", frozenset({ip_address("10.90.1.11")}))
    assert state == PeerState(ip_address("10.90.1.11"), True, False)


@pytest.mark.parametrize(
    ("bgp", "bfd"), [("", "[]"), ('{"ipv4Unicast": 1}', "[]"), (summary(a="Idle"), "{}")]
)
def test_peer_answers_that_are_not_understood_are_errors(bgp: str, bfd: str) -> None:
    with pytest.raises(StepFailed):
        peers(bgp, bfd, frozenset())


TEST_OUTPUT = """\
2026-11-23 05:36:20,118  INFO: Called via "Namespace(...)"

Lines To Delete
===============
router bgp 64501
 no neighbor 10.90.1.77 remote-as 64601
exit
no route-map RACKROLL-OLD permit 10

Lines To Add
============
router bgp 64501
 address-family ipv4 unicast
  maximum-paths 16
ip prefix-list RACKROLL-POOLS-V4 seq 5 permit 203.0.113.0/28 ge 32 le 32
no ip prefix-list RACKROLL-POOLS-V4 seq 10 permit 192.0.2.0/24 ge 32 le 32
2026-11-23 05:36:20,148  INFO: Loading Config object from vtysh show running
"""


def test_a_diff_is_one_line_for_each_change_with_its_context() -> None:
    assert diff_lines(TEST_OUTPUT) == (
        "- router bgp 64501 / neighbor 10.90.1.77 remote-as 64601",
        "- route-map RACKROLL-OLD permit 10",
        "+ router bgp 64501 / address-family ipv4 unicast / maximum-paths 16",
        "+ ip prefix-list RACKROLL-POOLS-V4 seq 5 permit 203.0.113.0/28 ge 32 le 32",
        "- ip prefix-list RACKROLL-POOLS-V4 seq 10 permit 192.0.2.0/24 ge 32 le 32",
    )


def test_no_diff_is_no_lines() -> None:
    assert diff_lines("2026-11-23 05:36:20,118  INFO: Called via\n\n") == ()


def test_a_diff_is_not_read_when_the_exit_status_is_not_zero() -> None:
    with pytest.raises(StepFailed, match="status 1"):
        checked(Answer(1, TEST_OUTPUT), "comparing", "tor-r1")


@pytest.mark.parametrize(
    "text",
    [
        "% Unknown command: neighbour",
        "BGP is already running; AS is 64501",
        "line 12: % Command incomplete",
        '"no neighbor" we failed to remove this command',
        "Traceback (most recent call last):",
    ],
)
def test_errors_that_exit_with_zero_are_errors_all_the_same(text: str) -> None:
    with pytest.raises(StepFailed):
        checked(Answer(0, text), "applying", "tor-r1")
