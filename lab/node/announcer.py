"""Which VIP a node's speaker announces to whom: MetalLB's rules as one pure function.

Simulated MetalLB logic (the BGP and BFD sessions that carry it are real FRR). Follows
``speaker/bgp_controller.go`` and ``bgp_controller``'s peer filters of 0.14-0.16; the difference between
versions is data in :func:`speaker_rules`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from math import ceil

from lab.node.facts import Json, NodeFacts, Service, seconds, selects

EXCLUDE_LABEL = "node.kubernetes.io/exclude-from-external-load-balancers"


@dataclass(frozen=True, slots=True)
class SpeakerRules:
    """What differs between speaker versions and flags."""

    cordon_withdraws: bool
    publishes_status: bool
    ignore_exclude: bool = False


@dataclass(frozen=True, slots=True)
class Peer:
    """A BGPPeer. Times are seconds, as in the resource; empty ``nodes`` selects every node."""

    name: str
    address: str
    asn: int
    my_asn: int
    hold_time: int
    bfd_profile: str | None
    nodes: tuple[Json, ...] = ()

    def on(self, node: NodeFacts) -> bool:
        return not self.nodes or any(selects(s, node.labels) for s in self.nodes)


@dataclass(frozen=True, slots=True)
class Advertisement:
    """A BGPAdvertisement; an empty tuple means "all" in each field, as in MetalLB."""

    name: str
    pools: tuple[str, ...] = ()
    peers: tuple[str, ...] = ()
    nodes: tuple[Json, ...] = ()
    services: tuple[Json, ...] = ()


@dataclass(frozen=True, slots=True)
class AddressPool:
    name: str
    ranges: tuple[str, ...]

    def holds(self, vip: str) -> bool:
        return any(_in_range(vip, item) for item in self.ranges)


@dataclass(frozen=True, slots=True)
class Config:
    pools: tuple[AddressPool, ...] = ()
    peers: tuple[Peer, ...] = ()
    advertisements: tuple[Advertisement, ...] = ()


@dataclass(frozen=True, slots=True)
class Announcement:
    """One VIP's fate on one node: the peers that hear it, or the reason (MetalLB's own word) why none does."""

    vip: str
    peers: frozenset[str]
    reason: str = ""


def speaker_rules(image: str, args: Sequence[str] = ()) -> SpeakerRules:
    """Read the version from the speaker's image tag: 0.14.9 alone withdraws on cordon, 0.15 brought statuses."""
    found = re.search(r":v?(\d+)\.(\d+)\.(\d+)", image)
    version = tuple(int(part) for part in found.groups()) if found else (0, 16, 1)
    return SpeakerRules(
        cordon_withdraws=version == (0, 14, 9),
        publishes_status=version >= (0, 15, 0),
        ignore_exclude=any(a in ("--ignore-exclude-lb", "--ignore-exclude-lb=true") for a in args),
    )


def announces(
    node: NodeFacts, service: Service, config: Config, rules: SpeakerRules
) -> tuple[Announcement, ...]:
    reason = refusal(node, service, rules)
    return tuple(_announce(vip, node, service, config, reason) for vip in service.vips)


def refusal(node: NodeFacts, service: Service, rules: SpeakerRules) -> str:
    """Why this node may not announce the service at all; empty when it may."""
    if node.network_unavailable:
        return "nodeNetworkUnavailable"
    if not rules.ignore_exclude and EXCLUDE_LABEL in dict(node.labels):
        return "nodeLabeledExcludeBalancers"
    if rules.cordon_withdraws and node.cordoned:
        return "nodeUnschedulable"
    able = [e for e in service.endpoints if e.ready or e.serving]
    if service.local and not any(e.node == node.name for e in able):
        return "noLocalEndpoints"
    return "" if able else "noEndpoints"


def _announce(vip: str, node: NodeFacts, service: Service, config: Config, reason: str) -> Announcement:
    if reason:
        return Announcement(vip, frozenset(), reason)
    pool = next((p.name for p in config.pools if p.holds(vip)), None)
    if pool is None:
        return Announcement(vip, frozenset(), "noMatchingPool")
    matching = [a for a in config.advertisements if _applies(a, pool, node, service)]
    here = {peer.name for peer in config.peers if peer.on(node)}
    chosen = _peers(matching, here)
    return Announcement(vip, frozenset(chosen), "" if chosen else "noMatchingAdvertisement")


def _peers(matching: Iterable[Advertisement], here: set[str]) -> set[str]:
    return {name for ad in matching for name in here if not ad.peers or name in ad.peers}


def _applies(ad: Advertisement, pool: str, node: NodeFacts, service: Service) -> bool:
    if ad.pools and pool not in ad.pools:
        return False
    if ad.services and not any(selects(s, service.labels) for s in ad.services):
        return False
    return not ad.nodes or any(selects(s, node.labels) for s in ad.nodes)


def _in_range(vip: str, item: str) -> bool:
    address = ip_address(vip)
    if "-" not in item:
        return address in ip_network(item, strict=False)
    low, high = (ip_address(part.strip()) for part in item.split("-", 1))
    return low.version == address.version and int(low) <= int(address) <= int(high)


def read_config(pools: Iterable[Json], peers: Iterable[Json], ads: Iterable[Json]) -> Config:
    return Config(
        pools=tuple(AddressPool(_name(p), tuple(p["spec"].get("addresses") or ())) for p in pools),
        peers=tuple(_peer(p) for p in peers),
        advertisements=tuple(_advertisement(a) for a in ads),
    )


def _peer(item: Json) -> Peer:
    spec = item["spec"]
    return Peer(
        name=_name(item),
        address=spec["peerAddress"],
        asn=int(spec["peerASN"]),
        my_asn=int(spec["myASN"]),
        hold_time=ceil(seconds(str(spec.get("holdTime") or "90s"))),
        bfd_profile=spec.get("bfdProfile") or None,
        nodes=tuple(spec.get("nodeSelectors") or ()),
    )


def _advertisement(item: Json) -> Advertisement:
    spec = item.get("spec") or {}
    return Advertisement(
        name=_name(item),
        pools=tuple(spec.get("ipAddressPools") or ()),
        peers=tuple(spec.get("peers") or ()),
        nodes=tuple(spec.get("nodeSelectors") or ()),
        services=tuple(spec.get("serviceSelectors") or ()),
    )


def _name(item: Json) -> str:
    name: str = item["metadata"]["name"]
    return name
