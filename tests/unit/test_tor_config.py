"""The ToR's node side: the pools' host routes from this rack's gateway nodes, and nobody else's lines."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path

import pytest

from roles.tor.intent import intended
from roles.tor.merge import foreign, merged
from roles.tor.running import parse, render
from rollout.errors import SiteInvalid, StepFailed
from rollout.model.site import BfdTimers, Pool, Site
from rollout.site.load import load_site
from tests.unit.site_lab import LAB, written

BARE = """\
Building configuration...

Current configuration:
!
frr version 8.4.4
frr defaults datacenter
hostname tor-r1
service integrated-vtysh-config
!
router bgp 64501
 bgp router-id 10.90.1.1
 neighbor 10.255.128.0 remote-as 64500
 neighbor 10.255.128.0 description uplink to the spine
 neighbor 10.255.128.0 timers 3 9
 !
 address-family ipv4 unicast
  redistribute connected
  neighbor 10.255.128.0 route-map UPLINK out
  maximum-paths 8
 exit-address-family
exit
!
ip prefix-list RACK seq 5 permit 10.90.1.0/24
!
route-map UPLINK permit 10
 match ip address prefix-list RACK
exit
!
bfd
 profile SPINE
  transmit-interval 500
 exit
 !
exit
!
end
"""


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return load_site(written(tmp_path, LAB))


def with_pools(site: Site, *prefixes: str) -> Site:
    return replace(site, pools=(Pool("gateways", tuple(ip_network(prefix) for prefix in prefixes)),))


def config(site: Site, running: str = BARE) -> str:
    return merged(running, intended(site, site.switch("tor-r1")))


def test_each_gateway_node_of_this_rack_is_a_neighbor_and_no_other(site: Site) -> None:
    text = config(site)
    assert " neighbor 10.90.1.11 remote-as 64601\n neighbor 10.90.1.11 description rackroll r1n1\n" in text
    assert " neighbor 10.90.1.12 remote-as 64601\n" in text
    assert "10.90.1.13" not in text  # no gateway
    assert "10.90.2." not in text  # another rack


def test_only_host_routes_inside_the_pools_are_accepted(site: Site) -> None:
    lists = [line for line in config(site).splitlines() if "prefix-list RACKROLL" in line and "seq" in line]
    assert lists == ["ip prefix-list RACKROLL-POOLS-V4 seq 5 permit 203.0.113.0/28 ge 32 le 32"]


def test_ipv6_pools_get_128s_and_their_own_activated_family(site: Site) -> None:
    switch = replace(
        site.switch("tor-r1"), accepts=(ip_network("203.0.113.0/24"), ip_network("2001:db8::/32"))
    )
    text = merged(BARE, intended(with_pools(site, "203.0.113.0/28", "2001:db8:1::/120"), switch))
    assert "ipv6 prefix-list RACKROLL-POOLS-V6 seq 5 permit 2001:db8:1::/120 ge 128 le 128" in text
    assert " address-family ipv6 unicast\n  neighbor 10.90.1.11 activate\n" in text


def test_a_pool_of_one_address_is_written_without_bounds_that_frr_refuses(site: Site) -> None:
    assert "seq 5 permit 203.0.113.1/32\n" in config(with_pools(site, "203.0.113.1/32"))


def test_nothing_is_sent_to_nodes_and_only_the_pools_come_in(site: Site) -> None:
    text = config(site)
    assert "route-map RACKROLL-OUT deny 10\nexit" in text
    assert "route-map RACKROLL-IN-V4 permit 10\n match ip address prefix-list RACKROLL-POOLS-V4\nexit" in text
    for node in ("10.90.1.11", "10.90.1.12"):
        assert f"  neighbor {node} route-map RACKROLL-IN-V4 in\n" in text
        assert f"  neighbor {node} route-map RACKROLL-OUT out\n" in text
        assert f"  neighbor {node} maximum-prefix 32\n" in text


def test_merging_twice_changes_nothing(site: Site) -> None:
    once = config(site)
    assert config(site, once) == once


def test_lines_that_are_not_ours_survive_and_are_the_same_set(site: Site) -> None:
    owned = intended(site, site.switch("tor-r1"))
    text = config(site)
    assert foreign(text, owned) == foreign(BARE, owned)
    for line in (
        " neighbor 10.255.128.0 description uplink to the spine",
        "  redistribute connected",
        " profile SPINE",
    ):
        assert line in text.splitlines()


def test_foreign_lines_notice_a_change_of_the_uplink(site: Site) -> None:
    owned = intended(site, site.switch("tor-r1"))
    assert foreign(BARE.replace("remote-as 64500", "remote-as 64999"), owned) != foreign(BARE, owned)


def test_a_marked_neighbor_whose_node_left_the_site_is_removed_and_a_handmade_one_stays(site: Site) -> None:
    extra = (
        " neighbor 10.90.1.77 remote-as 64601\n neighbor 10.90.1.77 description rackroll r1n9\n"
        " neighbor 10.90.1.88 remote-as 64777\n neighbor 10.90.1.88 description by hand\n"
    )
    text = config(site, BARE.replace(" !\n address-family", f"{extra} !\n address-family", 1))
    assert "10.90.1.77" not in text
    assert " neighbor 10.90.1.88 description by hand\n" in text


def test_our_multipath_width_replaces_the_familys(site: Site) -> None:
    widths = [line.strip() for line in config(site).splitlines() if "maximum-paths" in line]
    assert widths == ["maximum-paths 16"]


def test_without_bfd_no_profile_of_ours_is_left_and_others_are(site: Site) -> None:
    text = config(replace(site, bgp=replace(site.bgp, bfd=None)), config(site))
    assert "profile RACKROLL" not in text
    assert " profile SPINE" in text


def test_bfd_defaults_that_frr_does_not_print_are_left_out(site: Site) -> None:
    timers = BfdTimers(timedelta(milliseconds=300), 3)
    text = config(replace(site, bgp=replace(site.bgp, bfd=timers)))
    assert " profile RACKROLL-300MS-X3\n exit\n" in text
    slow = BfdTimers(timedelta(milliseconds=200), 5)
    text = config(replace(site, bgp=replace(site.bgp, bfd=slow)))
    assert "  detect-multiplier 5\n  transmit-interval 200\n  receive-interval 200\n" in text


def test_ipv4_is_activated_by_word_only_where_the_box_does_not_do_it_by_itself(site: Site) -> None:
    assert "10.90.1.11 activate" not in config(site)
    manual = BARE.replace(" bgp router-id", " no bgp default ipv4-unicast\n bgp router-id", 1)
    assert "  neighbor 10.90.1.11 activate\n" in config(site, manual)


def test_a_pool_outside_what_the_tor_accepts_is_refused(site: Site) -> None:
    with pytest.raises(SiteInvalid, match=r"198\.51\.100\.0/28 is outside what tor-r1 accepts"):
        intended(with_pools(site, "198.51.100.0/28"), site.switch("tor-r1"))


@pytest.mark.parametrize(
    ("running", "says"),
    [
        (
            BARE.replace("router bgp 64501", "router bgp 65000"),
            "the site says AS 64501, the switch runs bgp 65000",
        ),
        ("frr version 8.4.4\n!\nend\n", "the switch runs no BGP at all"),
        ("% Unknown command.\n", "not an FRR configuration"),
        ("", "not an FRR configuration"),
    ],
)
def test_a_switch_that_is_not_as_expected_is_an_error(site: Site, running: str, says: str) -> None:
    with pytest.raises(StepFailed, match=says):
        config(site, running)


def test_a_running_config_is_written_back_as_it_was() -> None:
    body = [line for line in BARE.splitlines()[3:] if line.strip() not in ("!", "end")]
    assert [line for line in render(parse(BARE)).splitlines() if line.strip() != "!"] == body


def test_other_timers_are_another_profile_because_frr_cannot_unset_an_interval(site: Site) -> None:
    slow = replace(site, bgp=replace(site.bgp, bfd=BfdTimers(timedelta(milliseconds=300), 5)))
    text = config(slow, config(site))
    assert "RACKROLL-150MS-X3" not in text
    assert " neighbor 10.90.1.11 bfd profile RACKROLL-300MS-X5\n" in text
