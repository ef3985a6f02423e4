"""ToRs with kernels of their own: BGP and BFD as the product configures them, and a node that freezes."""

from __future__ import annotations

import json
from collections.abc import Callable, Set
from functools import partial
from typing import Any

import pytest

from rollout.engine.ports import SwitchChange
from rollout.model.site import Address, Node, Switch
from tests.vm.conftest import Machines
from tests.vm.machine import eventually

VIP = "203.0.113.1"

# As a MetalLB speaker in FRR mode peers: BFD both ways, announcing one VIP.
SPEAKER = """
set -e
vtysh -c 'configure terminal' \
 -c 'ip route {vip}/32 blackhole' \
 -c 'bfd' -c 'profile tor' -c 'transmit-interval {interval}' -c 'receive-interval {interval}' \
 -c 'detect-multiplier {multiplier}' -c 'exit' -c 'exit' \
 -c 'router bgp {asn}' -c 'bgp router-id {address}' -c 'no bgp ebgp-requires-policy' \
 -c 'no bgp network import-check' \
 -c 'neighbor {tor} remote-as external' -c 'neighbor {tor} bfd' -c 'neighbor {tor} bfd profile tor' \
 -c 'neighbor {tor} timers connect 1' \
 -c 'address-family ipv4 unicast' -c 'network {vip}/32'
"""


def speak(machines: Machines, node: Node, switch: Switch) -> None:
    bfd = machines.site.bgp.bfd
    assert bfd is not None
    script = SPEAKER.format(
        vip=VIP,
        asn=machines.site.bgp.node_asn,
        address=node.fabric_address,
        tor=switch.fabric_address,
        interval=int(bfd.interval.total_seconds() * 1000),
        multiplier=bfd.multiplier,
    )
    machines.shell(node.name).run(script)


@pytest.fixture(scope="module")
def speaking(machines: Machines, switched: tuple[SwitchChange, ...]) -> Machines:
    """Every node announces the VIP to its ToR, with BFD up."""
    assert switched
    for switch in machines.site.switches:
        for node in machines.site.rack(switch.rack).nodes:
            speak(machines, node, switch)
    for switch in machines.site.switches:
        eventually(f"{switch.name}'s sessions are up", partial(up, machines, switch))
    return machines


def up(machines: Machines, switch: Switch) -> bool:
    """All peers of nodes established with BFD up; the uplink has no BFD."""
    wanted = {node.fabric_address for node in machines.site.rack(switch.rack).nodes}
    peers = machines.world.switches.peers(switch)
    return wanted <= {peer.address for peer in peers if peer.established and peer.bfd_up}


def told(machines: Machines, switch: Switch, node: Node) -> tuple[int, str]:
    """How many notifications the ToR has sent this node, and what the last one said (RFC 9384: Cease/BFD Down)."""
    command = f"vtysh -c 'show bgp neighbors {node.fabric_address} json'"
    peer: dict[str, Any] = json.loads(machines.shell(switch.name).run(command))[str(node.fabric_address)]
    return peer["messageStats"]["notificationsSent"], peer.get("lastNotificationReason", "")


def bfd_down(machines: Machines, switch: Switch, node: Node, before: int) -> bool:
    count, reason = told(machines, switch, node)
    return count > before and "BFD Down" in reason


def test_a_second_apply_changes_nothing_on_any_tor(machines: Machines, speaking: Machines) -> None:
    del speaking
    assert [machines.world.switches.diff(switch).diff for switch in machines.site.switches] == [(), ()]


def test_each_tor_has_every_gateway_of_its_rack_as_a_next_hop_of_the_vip(speaking: Machines) -> None:
    gateway = speaking.site.meshes[0].gateways[0]
    for switch in speaking.site.switches:
        nodes = {node.fabric_address for node in speaking.site.rack(switch.rack).nodes}
        hops = partial(speaking.world.switches.next_hops, switch, gateway.vip)
        eventually(f"{switch.name} has the whole rack", partial(_all_of, nodes, hops))


def _all_of(wanted: Set[Address], found: Callable[[], Set[Address]]) -> bool:
    return wanted <= found()


def test_a_node_that_freezes_is_gone_from_the_rib_because_bfd_said_so(speaking: Machines) -> None:
    """The whole machine stops, kernel and all: no socket closes, no link goes down. Only BFD can notice soon."""
    switch = speaking.site.switch("tor-r1")
    node = speaking.site.rack("r1").nodes[1]
    vip = speaking.site.meshes[0].gateways[0].vip
    before, _ = told(speaking, switch, node)
    speaking.virsh("suspend", node.name)
    try:
        eventually(
            "the ToR has withdrawn the frozen node",
            lambda: node.fabric_address not in speaking.world.switches.next_hops(switch, vip),
        )
        assert bfd_down(speaking, switch, node, before)
        others = speaking.world.switches.next_hops(switch, vip)
        assert speaking.site.rack("r1").nodes[0].fabric_address in others
    finally:
        speaking.virsh("resume", node.name)
        speaking.shell(node.name).set_clock_right()  # it stood still as long as the machine did
    eventually("it is back", lambda: up(speaking, switch))


def test_a_bfd_that_is_lost_alone_takes_the_session_down_although_bgp_could_go_on(speaking: Machines) -> None:
    """Port 3784 is dropped at the ToR: BGP's own packets pass, and the product still sees a node that is not up."""
    switch = speaking.site.switch("tor-r2")
    node = speaking.site.rack("r2").nodes[0]
    tor = speaking.shell(switch.name)
    before, _ = told(speaking, switch, node)
    tor.run(
        "nft add table ip lost && nft 'add chain ip lost in { type filter hook input priority 0; }' && "
        f"nft add rule ip lost in ip saddr {node.fabric_address} udp dport 3784 drop"
    )
    try:
        eventually("BFD took the session down", lambda: bfd_down(speaking, switch, node, before))
        eventually("the product sees it", lambda: not up(speaking, switch))
    finally:
        tor.run("nft delete table ip lost")
    eventually("it is back", lambda: up(speaking, switch))
