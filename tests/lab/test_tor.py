"""A real FRR ToR over real SSH, with real bgpd on the nodes: what may come in, what is seen, what is undone."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_address

import pytest

from rollout.adapters.switches import SshSwitches
from rollout.engine.ports import PeerState
from rollout.errors import StepFailed, Unreachable
from rollout.model.site import BfdTimers, Node, Site, Switch
from tests.lab.rack import running_lab, shell

pytestmark = pytest.mark.lab

VIP = ip_address("203.0.113.1")
RUNNING = "vtysh -c 'show running-config no-header'"

# As a MetalLB speaker in FRR mode peers: BFD both ways, announcing what its `network` statements say.
_SPEAKER = """
set -e
cat > /etc/frr/frr.conf <<'FRRCONF'
frr defaults traditional
ip route 203.0.113.0/24 blackhole
ip route 192.0.2.1/32 blackhole
router bgp {asn}
 bgp router-id {address}
 no bgp ebgp-requires-policy
 no bgp network import-check
 timers bgp 3 9
 neighbor {tor} remote-as external
 neighbor {tor} bfd
 neighbor {tor} bfd profile tor
 neighbor {tor} timers connect 1
 address-family ipv4 unicast
  network {vip}/32
  network 203.0.113.0/28
  network 203.0.113.200/32
  network 192.0.2.1/32
 exit-address-family
bfd
 profile tor
  transmit-interval 150
  receive-interval 150
FRRCONF
for daemon in zebra bfdd bgpd; do pgrep -x $daemon >/dev/null || /usr/lib/frr/$daemon -d -A 127.0.0.1; done
vtysh -b
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running_lab(tmp_path_factory.mktemp("labhosts")) as running:
        yield running


@pytest.fixture(scope="module")
def tor(site: Site) -> Switch:
    return site.switch("tor-r1")


@pytest.fixture
def switches(site: Site) -> Iterator[SshSwitches]:
    with opened(site) as port:
        yield port


@contextmanager
def opened(site: Site) -> Iterator[SshSwitches]:
    port = SshSwitches(site)
    try:
        yield port
    finally:
        port.close()


@pytest.fixture(scope="module")
def speaking(site: Site, tor: Switch) -> Site:
    """ToR configured, both gateway nodes of rack r1 announcing the VIP and three things they must not."""
    with opened(site) as switches:
        switches.apply(tor)
        for node in gateways(site):
            values = {
                "asn": site.bgp.node_asn,
                "address": node.fabric_address,
                "tor": tor.fabric_address,
                "vip": VIP,
            }
            shell(node.ssh, _SPEAKER.format(**values))
        eventually(lambda: all(is_up(state) for state in nodes_of(switches.peers(tor), site)))
        eventually(lambda: len(switches.next_hops(tor, VIP)) == 2)
    return site


def gateways(site: Site) -> tuple[Node, ...]:
    return tuple(node for node in site.rack("r1").nodes if node.gateway)


def nodes_of(states: tuple[PeerState, ...], site: Site) -> tuple[PeerState, ...]:
    addresses = {node.fabric_address for node in gateways(site)}
    found = tuple(state for state in states if state.address in addresses)
    assert len(found) == 2
    return found


def is_up(state: PeerState) -> bool:
    return state.established and state.bfd_up is True


def eventually(claim: Callable[[], bool], within: float = 15) -> None:
    deadline = time.monotonic() + within
    while not claim():
        assert time.monotonic() < deadline, "did not become true in time"
        time.sleep(0.1)


def test_the_diff_shows_it_the_apply_does_it_and_the_second_diff_is_empty(
    site: Site, tor: Switch, switches: SshSwitches
) -> None:
    uplink = [line for line in shell(tor.ssh, RUNNING).splitlines() if "10.255.128." in line]
    shown = switches.diff(tor)
    began = time.monotonic()
    done = switches.apply(tor)
    took = time.monotonic() - began
    assert shown == done
    assert len([line for line in done.diff if line.endswith("remote-as 64601")]) == 2
    assert switches.diff(tor).diff == ()
    assert switches.apply(tor).diff == ()
    after = shell(tor.ssh, RUNNING).splitlines()
    assert [line for line in after if "10.255.128." in line] == uplink != []
    assert [state.established for state in switches.peers(tor) if state.bfd_up is None] == [True]
    assert took < 10  # 1.1 s on an idle machine
    saved = shell(tor.ssh, "cat /etc/frr/frr.conf")
    assert all(f"neighbor {node.fabric_address} remote-as 64601" in saved for node in gateways(site))


def test_without_speakers_peers_are_down_and_no_node_serves_the_vip(
    site: Site, tor: Switch, switches: SshSwitches
) -> None:
    switches.apply(tor)
    assert [(s.established, s.bfd_up) for s in nodes_of(switches.peers(tor), site)] == [(False, False)] * 2
    assert switches.next_hops(tor, VIP) == frozenset()


def test_every_speaking_node_is_a_next_hop_and_no_other(
    speaking: Site, tor: Switch, switches: SshSwitches
) -> None:
    assert switches.next_hops(tor, VIP) == {node.fabric_address for node in gateways(speaking)}


def test_only_the_pools_host_routes_came_in_and_nothing_went_out(speaking: Site, tor: Switch) -> None:
    routes = json.loads(shell(tor.ssh, "vtysh -c 'show bgp ipv4 unicast json'"))["routes"]
    assert f"{VIP}/32" in routes
    assert not {"203.0.113.0/28", "203.0.113.200/32", "192.0.2.1/32"} & set(routes)
    for node in gateways(speaking):
        told = json.loads(shell(node.ssh, "vtysh -c 'show bgp ipv4 unicast summary json'"))
        assert told["peers"][str(tor.fabric_address)]["pfxRcd"] == 0
        assert (
            told["peers"][str(tor.fabric_address)]["pfxSnt"] == 4
        )  # so that the refusals above were really asked


def test_a_withdrawn_node_leaves_the_set_and_comes_back(
    speaking: Site, tor: Switch, switches: SshSwitches
) -> None:
    leaver, stayer = gateways(speaking)
    network = "vtysh -c 'conf t' -c 'router bgp 64601' -c 'address-family ipv4 unicast' -c '{} network 203.0.113.1/32'"
    shell(leaver.ssh, network.format("no"))
    eventually(lambda: switches.next_hops(tor, VIP) == {stayer.fabric_address}, within=5)
    shell(leaver.ssh, network.format(""))
    eventually(lambda: len(switches.next_hops(tor, VIP)) == 2, within=5)


def test_bfd_finds_a_dead_node_long_before_the_hold_time(
    speaking: Site, tor: Switch, switches: SshSwitches
) -> None:
    dead, stayer = gateways(speaking)
    # Every process stopped at once: no FIN and no NOTIFICATION may tell the ToR.
    shell(dead.ssh, "kill -STOP $(pgrep -x bgpd) $(pgrep -x bfdd)")
    began = time.monotonic()
    try:
        eventually(lambda: switches.next_hops(tor, VIP) == {stayer.fabric_address}, within=8)
        took = time.monotonic() - began
    finally:
        shell(dead.ssh, "kill -CONT $(pgrep -x bgpd) $(pgrep -x bfdd)")
    eventually(lambda: len(switches.next_hops(tor, VIP)) == 2, within=20)
    assert timedelta(seconds=took) < speaking.bgp.hold_time / 3


def test_sampling_the_rib_at_five_hertz_leaves_room_and_survives_a_lost_line(
    speaking: Site, tor: Switch
) -> None:
    with opened(speaking) as sampler:
        sampler.next_hops(tor, VIP)
        began = time.monotonic()
        for _ in range(10):
            assert len(sampler.next_hops(tor, VIP)) == 2
        assert (time.monotonic() - began) / 10 < 0.2
        # The ToR ends every session of the sampler; sessions are shells below sshd.
        shell(tor.ssh, "for p in $(pgrep -x sh); do [ $p = $$ ] || kill -HUP $p; done")
        assert len(sampler.next_hops(tor, VIP)) == 2


def test_a_switch_that_cannot_be_reached_or_trusted_is_unreachable(speaking: Site, tor: Switch) -> None:
    with opened(speaking) as switches, pytest.raises(Unreachable, match="tor-r1"):
        switches.next_hops(replace(tor, ssh=replace(tor.ssh, port=9)), VIP)
    forged = speaking.folder / "forged_known_hosts"
    lines = [line.split() for line in tor.ssh.known_hosts.read_text().splitlines()]
    other = next(words for words in lines if tor.ssh.address not in words[0])
    forged.write_text(" ".join((tor.ssh.address, *other[1:3])) + "\n")
    with opened(speaking) as switches, pytest.raises(Unreachable, match=r"(?i)host key|does not match"):
        switches.next_hops(replace(tor, ssh=replace(tor.ssh, known_hosts=forged)), VIP)


def test_a_configuration_the_switch_refuses_halfway_is_rolled_back(speaking: Site, tor: Switch) -> None:
    """A hold time of 2 s parses, so validation passes; bgpd itself refuses it, after other lines were applied."""
    before = shell(tor.ssh, RUNNING)
    impossible = replace(
        speaking, bgp=replace(speaking.bgp, hold_time=timedelta(seconds=2), maximum_prefixes=7)
    )
    with opened(impossible) as switches, pytest.raises(StepFailed) as failed:
        switches.apply(tor)
    assert failed.value.hint == "rolled back: the switch runs its previous configuration"
    assert shell(tor.ssh, RUNNING) == before


def test_a_node_that_left_the_site_loses_its_neighbor_and_a_handmade_one_stays(
    speaking: Site, tor: Switch
) -> None:
    stay, leaves = gateways(speaking)
    shell(tor.ssh, f"vtysh -c 'conf t' -c 'router bgp {tor.asn}' -c 'neighbor 10.90.1.99 remote-as 64999'")
    smaller = replace(speaking, racks=(replace(speaking.rack("r1"), nodes=(stay,)), speaking.rack("r2")))
    with opened(smaller) as switches:
        gone = switches.apply(tor).diff
        left = {state.address for state in switches.peers(tor)}
    assert any(line.startswith("- ") and f"neighbor {leaves.fabric_address}" in line for line in gone)
    assert leaves.fabric_address not in left
    assert {stay.fabric_address, ip_address("10.90.1.99")} <= left


def test_a_change_of_bfd_timers_and_its_removal_reach_the_switch(speaking: Site, tor: Switch) -> None:
    slower = replace(speaking, bgp=replace(speaking.bgp, bfd=BfdTimers(timedelta(milliseconds=300), 5)))
    none = replace(speaking, bgp=replace(speaking.bgp, bfd=None))
    for wanted in (slower, none, speaking):
        with opened(wanted) as switches:
            assert switches.apply(tor).diff
            assert switches.diff(tor).diff == ()


def test_a_line_frr_does_not_know_is_refused_before_anything_is_touched(speaking: Site, tor: Switch) -> None:
    before = shell(tor.ssh, RUNNING)
    unknown = replace(speaking, bgp=replace(speaking.bgp, multipath=100_000))
    with opened(unknown) as switches, pytest.raises(StepFailed, match="comparing configurations failed"):
        switches.apply(tor)
    assert shell(tor.ssh, RUNNING) == before
    assert shell(tor.ssh, "stat -c %a /var/lib/rackroll/candidate.conf").strip() == "600"
