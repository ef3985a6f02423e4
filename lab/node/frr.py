"""The speaker's BGP and BFD configuration as a value, and the vtysh commands from one value to the next.

Diff-wise: FRR reloads flap sessions (metallb#2049), so a change of one VIP is one ``network`` line.
Graceful restart is off: a node that dies without BFD would otherwise keep stale routes on the ToR.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from lab.node.announcer import Peer
from lab.node.facts import Json

CONNECT_RETRY_SECONDS = 2  # FRR's 10 s would make every lab bringup wait for it


@dataclass(frozen=True, slots=True)
class BfdProfile:
    """Milliseconds, as in the BFDProfile resource; detection time is receive interval times multiplier."""

    name: str
    receive: int = 300
    transmit: int = 300
    multiplier: int = 3


@dataclass(frozen=True, slots=True)
class Speaking:
    """Everything the node's bgpd should say: its sessions by address, and per VIP who hears it."""

    router_id: str
    asn: int = 0
    peers: tuple[Peer, ...] = ()
    profiles: tuple[BfdProfile, ...] = ()
    vips: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def heard_by(self, peer: str) -> frozenset[str]:
        return frozenset(vip for vip, peers in self.vips.items() if peer in peers)


def read_profile(item: Json) -> BfdProfile:
    spec = item.get("spec") or {}
    return BfdProfile(
        name=item["metadata"]["name"],
        receive=int(spec.get("receiveInterval") or 300),
        transmit=int(spec.get("transmitInterval") or 300),
        multiplier=int(spec.get("detectMultiplier") or 3),
    )


def commands(before: Speaking, after: Speaking) -> tuple[str, ...]:
    """vtysh lines (inside ``configure terminal``) that turn ``before`` into ``after``; empty when equal."""
    if before == after:
        return ()
    if before.asn and before.asn != after.asn:
        fresh = Speaking(after.router_id)
        gone = [f"no router bgp {before.asn}", *_filters(before, fresh)]
        return (*gone, *(commands(fresh, after) if after.asn else ()))
    return (
        *_profiles(before, after),
        *_filters(before, after, grow=True),
        *_router(before, after),
        *_filters(before, after, grow=False),
    )


def _profiles(before: Speaking, after: Speaking) -> list[str]:
    lines: list[str] = []
    for profile in after.profiles:
        if profile not in before.profiles:
            lines += [
                "bfd",
                f"profile {profile.name}",
                f"detect-multiplier {profile.multiplier}",
                f"receive-interval {profile.receive}",
                f"transmit-interval {profile.transmit}",
                "exit",
                "exit",
            ]
    return lines


def _filters(before: Speaking, after: Speaking, grow: bool | None = None) -> list[str]:
    """Outbound prefix-lists, one per peer. Permits are added before, and taken away after, the routes move."""
    lines = []
    for name in sorted({p.name for p in (*before.peers, *after.peers)}):
        had, has = before.heard_by(name), after.heard_by(name)
        if grow is not False:
            lines += [f"ip prefix-list {name}-out permit {vip}/32" for vip in sorted(has - had)]
        if grow is not True:
            lines += [f"no ip prefix-list {name}-out permit {vip}/32" for vip in sorted(had - has)]
    return lines


def _router(before: Speaking, after: Speaking) -> list[str]:
    body = [] if before.asn else _basics(after)
    for peer in before.peers:
        if peer not in after.peers:
            body.append(f"no neighbor {peer.address}")
    added = [peer for peer in after.peers if peer not in before.peers]
    for peer in added:
        body += _neighbor(peer)
    family = [line for peer in added for line in _activation(peer)]
    family += [f"no network {vip}/32" for vip in sorted(before.vips.keys() - after.vips.keys())]
    family += [f"network {vip}/32" for vip in sorted(after.vips.keys() - before.vips.keys())]
    if family:
        body += ["address-family ipv4 unicast", *family, "exit-address-family"]
    return [f"router bgp {after.asn}", *body, "exit"] if body else []


def _basics(speaking: Speaking) -> list[str]:
    return [
        f"bgp router-id {speaking.router_id}",
        "no bgp ebgp-requires-policy",
        "no bgp default ipv4-unicast",
        "no bgp network import-check",
        "bgp graceful-restart-disable",
    ]


def _neighbor(peer: Peer) -> list[str]:
    lines = [
        f"neighbor {peer.address} remote-as {peer.asn}",
        f"neighbor {peer.address} description {peer.name}",
        f"neighbor {peer.address} timers {max(peer.hold_time // 3, 1)} {peer.hold_time}",
        f"neighbor {peer.address} timers connect {CONNECT_RETRY_SECONDS}",
    ]
    if peer.bfd_profile:
        lines += [f"neighbor {peer.address} bfd", f"neighbor {peer.address} bfd profile {peer.bfd_profile}"]
    return lines


def _activation(peer: Peer) -> list[str]:
    """Nothing is learned from the ToR (MetalLB's default too), and only permitted VIPs are told."""
    return [
        f"neighbor {peer.address} activate",
        f"neighbor {peer.address} prefix-list nothing in",
        f"neighbor {peer.address} prefix-list {peer.name}-out out",
    ]
