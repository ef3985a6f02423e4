from __future__ import annotations

from dataclasses import replace

from lab.node.announcer import Peer
from lab.node.frr import BfdProfile, Speaking, commands, read_profile

PEER = Peer("tor-r1", "10.90.1.1", 64501, 64601, 9, "fast")
SILENT = Speaking("10.90.1.11")
PEERED = Speaking("10.90.1.11", 64601, (PEER,), (BfdProfile("fast", 150, 150, 3),))
ANNOUNCING = replace(PEERED, vips={"203.0.113.1": frozenset({"tor-r1"})})


def test_nothing_is_said_when_nothing_changed() -> None:
    assert commands(ANNOUNCING, ANNOUNCING) == ()


def test_a_vip_comes_and_goes_with_its_own_lines_and_touches_no_session() -> None:
    assert commands(PEERED, ANNOUNCING) == (
        "ip prefix-list tor-r1-out permit 203.0.113.1/32",
        "router bgp 64601",
        "address-family ipv4 unicast",
        "network 203.0.113.1/32",
        "exit-address-family",
        "exit",
    )
    assert commands(ANNOUNCING, PEERED) == (
        "router bgp 64601",
        "address-family ipv4 unicast",
        "no network 203.0.113.1/32",
        "exit-address-family",
        "exit",
        "no ip prefix-list tor-r1-out permit 203.0.113.1/32",
    )


def test_the_first_session_brings_timers_bfd_and_closed_filters() -> None:
    lines = commands(SILENT, PEERED)
    assert lines[:2] == ("bfd", "profile fast")
    for line in (
        "no bgp network import-check",
        "bgp graceful-restart-disable",
        "neighbor 10.90.1.1 timers 3 9",
        "neighbor 10.90.1.1 bfd profile fast",
        "neighbor 10.90.1.1 prefix-list nothing in",
        "neighbor 10.90.1.1 prefix-list tor-r1-out out",
    ):
        assert line in lines


def test_without_peers_there_is_no_bgp_at_all() -> None:
    assert commands(ANNOUNCING, SILENT)[0] == "no router bgp 64601"


def test_a_changed_peer_is_built_anew() -> None:
    slower = replace(PEERED, peers=(replace(PEER, hold_time=90),))
    lines = commands(PEERED, slower)
    assert lines.index("no neighbor 10.90.1.1") < lines.index("neighbor 10.90.1.1 timers 30 90")


def test_a_changed_bfd_profile_is_edited_in_place() -> None:
    after = replace(PEERED, profiles=(BfdProfile("fast", 300, 300, 3),))
    assert commands(PEERED, after) == (
        "bfd",
        "profile fast",
        "detect-multiplier 3",
        "receive-interval 300",
        "transmit-interval 300",
        "exit",
        "exit",
    )


def test_bfd_profiles_default_as_metallb_does() -> None:
    assert read_profile({"metadata": {"name": "plain"}}) == BfdProfile("plain", 300, 300, 3)
