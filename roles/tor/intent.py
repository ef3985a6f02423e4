"""What one ToR should say about the nodes below it, as FRR's own canonical lines.

Canonical means: exactly as ``show running-config`` prints it, defaults left out. ``frr-reload`` compares text,
so any other spelling would show up as a change for ever. Each default that FRR 8.4 swallows is named below.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from rollout.errors import SiteInvalid
from rollout.model.site import Address, BfdTimers, Bgp, Network, Node, Site, Switch

NAME = "RACKROLL"
"""Every list, map and profile of ours begins with this: it is what makes them ours to replace or remove."""

DESCRIPTION = "rackroll"
"""First word of each neighbor's description: marks neighbors of nodes that have left the site file as ours."""

CONNECT_RETRY = timedelta(seconds=5)
"""FRR's traditional default is 120 s: a node that comes back must not wait two minutes for its peer."""

_BFD_DEFAULT_INTERVAL_MS = 300
_BFD_DEFAULT_MULTIPLIER = 3


@dataclass(frozen=True, slots=True)
class Family:
    """One address family's lines; ``activate`` is a default in IPv4 and is left out there (see the merge)."""

    name: str
    neighbors: tuple[Address, ...]
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OwnedConfig:
    """Everything of ours on one switch, grouped by where FRR keeps it."""

    asn: int
    addresses: frozenset[str]
    lists: tuple[str, ...]
    route_maps: tuple[tuple[str, ...], ...]
    bfd_profile: tuple[str, ...]
    neighbors: tuple[str, ...]
    families: tuple[Family, ...]


def intended(site: Site, switch: Switch) -> OwnedConfig:
    """The lines this site wants on this switch. Raises ``SiteInvalid`` for a pool outside what the ToR accepts."""
    prefixes = tuple(_accepted(site, switch))
    nodes = tuple(node for node in site.rack(switch.rack).nodes if node.gateway)
    versions = sorted({prefix.version for prefix in prefixes})
    return OwnedConfig(
        asn=switch.asn,
        addresses=frozenset(str(node.fabric_address) for node in nodes),
        lists=tuple(line for version in versions for line in _prefix_list(version, prefixes)),
        route_maps=(*(_inbound(version) for version in versions), (f"route-map {NAME}-OUT deny 10",)),
        bfd_profile=_bfd_profile(site.bgp.bfd) if site.bgp.bfd else (),
        neighbors=tuple(line for node in nodes for line in _neighbor(node, site.bgp)),
        families=tuple(_family(version, nodes, site.bgp) for version in versions),
    )


def _accepted(site: Site, switch: Switch) -> Iterator[Network]:
    for prefix in site.accepted_prefixes():
        if not any(prefix.version == a.version and prefix.subnet_of(a) for a in switch.accepts):  # type: ignore[arg-type]
            raise SiteInvalid(
                f"pool prefix {prefix} is outside what {switch.name} accepts",
                where=f"site {site.name}",
                hint=f"add a prefix that holds {prefix} to the `accepts` of {switch.name}, or move the pool",
            )
        yield prefix


def _prefix_list(version: int, prefixes: tuple[Network, ...]) -> Iterator[str]:
    """Host routes only: a /32 (or /128) inside a pool, never the pool itself nor anything wider."""
    word, length = ("ip", 32) if version == 4 else ("ipv6", 128)
    own = (prefix for prefix in prefixes if prefix.version == version)
    for sequence, prefix in enumerate(own, start=1):
        # FRR refuses `ge N` on a prefix that is /N already, and prints such an entry bare.
        bounds = "" if prefix.prefixlen == length else f" ge {length} le {length}"
        yield f"{word} prefix-list {NAME}-POOLS-V{version} seq {sequence * 5} permit {prefix}{bounds}"


def _inbound(version: int) -> tuple[str, ...]:
    word = "ip" if version == 4 else "ipv6"
    return (
        f"route-map {NAME}-IN-V{version} permit 10",
        f" match {word} address prefix-list {NAME}-POOLS-V{version}",
    )


def _bfd_profile(timers: BfdTimers) -> tuple[str, ...]:
    interval = _milliseconds(timers)
    lines = [f" profile {profile_name(timers)}"]
    if timers.multiplier != _BFD_DEFAULT_MULTIPLIER:
        lines.append(f"  detect-multiplier {timers.multiplier}")
    if interval != _BFD_DEFAULT_INTERVAL_MS:
        lines += [f"  transmit-interval {interval}", f"  receive-interval {interval}"]
    return (*lines, " exit")


def profile_name(timers: BfdTimers) -> str:
    """Timers are part of the name: FRR has no way to take a profile's interval back, only to drop the profile."""
    return f"{NAME}-{_milliseconds(timers)}MS-X{timers.multiplier}"


def _milliseconds(timers: BfdTimers) -> int:
    return timers.interval // timedelta(milliseconds=1)


def _neighbor(node: Node, bgp: Bgp) -> Iterator[str]:
    head = f" neighbor {node.fabric_address}"
    hold = bgp.hold_time // timedelta(seconds=1)
    yield f"{head} remote-as {bgp.node_asn}"
    yield f"{head} description {DESCRIPTION} {node.name}"
    if bgp.bfd:
        # Both lines: the profile alone works, but FRR prints both and the second diff would not be empty.
        yield f"{head} bfd"
        yield f"{head} bfd profile {profile_name(bgp.bfd)}"
    yield f"{head} timers {hold // 3} {hold}"
    yield f"{head} timers connect {CONNECT_RETRY // timedelta(seconds=1)}"


def _family(version: int, nodes: tuple[Node, ...], bgp: Bgp) -> Family:
    lines: list[str] = []
    for node in nodes:
        head = f"  neighbor {node.fabric_address}"
        lines.append(f"{head} maximum-prefix {bgp.maximum_prefixes}")
        lines.append(f"{head} route-map {NAME}-IN-V{version} in")
        lines.append(f"{head} route-map {NAME}-OUT out")
    lines.append(f"  maximum-paths {bgp.multipath}")
    addresses = tuple(node.fabric_address for node in nodes)
    return Family(name=f"ipv{version} unicast", neighbors=addresses, lines=tuple(lines))
