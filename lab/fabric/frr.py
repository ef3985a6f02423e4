"""FRR's files for lab hosts. Pure text.

A ToR starts with its uplink only: what nodes may announce is rackroll's job (``roles/tor``). A node starts
with no BGP at all: the lab's speaker configures it as MetalLB would. The spine is the lab's own.
"""

from __future__ import annotations

from collections.abc import Iterator

from lab.state import Role
from lab.topology import OUTSIDE, LabHost, Topology

DAEMONS = ("zebra", "bgpd", "bfdd")
SPEAKERS = (Role.TOR, Role.SPINE, Role.NODE)
MULTIPATH = 16


def profile(role: Role) -> str:
    """Switches have FRR's datacenter defaults (3 s / 9 s timers, policies optional), nodes FRR's own."""
    return "traditional" if role is Role.NODE else "datacenter"


def config(topology: Topology, host: LabHost) -> str:
    """``/etc/frr/frr.conf``, as ``show running-config`` prints it: ``frr-reload.py`` must find no difference."""
    lines = [f"frr defaults {profile(host.role)}", f"hostname {host.name}"]
    lines += ["no ipv6 forwarding", "service integrated-vtysh-config", "!"]
    if host.role is Role.TOR:
        lines += _tor(topology, host)
    elif host.role is Role.SPINE:
        lines += _spine(topology, host)
    return "\n".join(lines) + "\n"


def daemons() -> str:
    """``/etc/frr/daemons``: what really runs, for whoever reads it."""
    return "".join(f"{name}=yes\n" for name in DAEMONS if name != "zebra") + "vtysh_enable=yes\n"


def _tor(topology: Topology, host: LabHost) -> Iterator[str]:
    uplink = next(uplink for uplink in topology.uplinks if uplink.tor == host.name)
    spine = topology.with_role(Role.SPINE)[0]
    yield f"router bgp {host.asn}"
    yield f" bgp router-id {host.fabric_address}"
    yield f" neighbor {uplink.spine_address} remote-as {spine.asn}"
    yield f" neighbor {uplink.spine_address} description uplink to {spine.name}"
    yield " !"
    yield " address-family ipv4 unicast"
    yield f"  network {uplink.rack_network}"
    yield " exit-address-family"
    yield "exit"
    yield "!"


def _spine(topology: Topology, host: LabHost) -> Iterator[str]:
    yield f"router bgp {host.asn}"
    yield f" bgp router-id {host.fabric_address}"
    yield " bgp bestpath as-path multipath-relax"
    for uplink in topology.uplinks:
        yield f" neighbor {uplink.tor_address} remote-as {topology.host(uplink.tor).asn}"
        yield f" neighbor {uplink.tor_address} description {uplink.tor}"
    yield " !"
    yield " address-family ipv4 unicast"
    yield f"  network {OUTSIDE}"
    yield f"  maximum-paths {MULTIPATH}"
    yield " exit-address-family"
    yield "exit"
    yield "!"
