"""Node and ToR talk eBGP: an iBGP session would neither pass the VIP on nor rewrite its next-hop."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from rollout.site.problem import FieldPath, Problem
from rollout.site.rules.walk import racks
from rollout.site.schema import SiteFile

_RESERVED = {23456: "AS_TRANS", 65535: "reserved (RFC 7300)", 4294967295: "reserved (RFC 7300)"}
_PRIVATE = (range(64512, 65535), range(4200000000, 4294967295))
_DOCUMENTATION = (range(64496, 64512), range(65536, 65552))
_LEAST = timedelta(milliseconds=10)
_MOST = timedelta(seconds=60)


def is_external(file: SiteFile, _: Path) -> Iterator[Problem]:
    for path, rack in racks(file):
        if rack.tor.asn == file.bgp.node_asn:
            what = (
                f"is {rack.tor.asn}, the nodes' own ASN: that would be iBGP, which does not pass the VIPs on"
            )
            expected = "an ASN that differs from bgp.nodeAsn (eBGP)"
            yield Problem((*path, "tor", "asn"), what, expected, other=("bgp", "nodeAsn"))


def asns_are_ours_to_use(file: SiteFile, _: Path) -> Iterator[Problem]:
    """The nodes' ASN is rackroll's to announce, so it must be private; a ToR may have the operator's public one."""
    fields: list[tuple[FieldPath, int]] = [
        ((*path, "tor", "asn"), rack.tor.asn) for path, rack in racks(file)
    ]
    for field, asn in [(("bgp", "nodeAsn"), file.bgp.node_asn), *fields]:
        if asn in _RESERVED:
            yield Problem(
                field, f"is {asn}, {_RESERVED[asn]}", "a private ASN: 64512-65534 or 4200000000-4294967294"
            )
    own = file.bgp.node_asn
    if own not in _RESERVED and not any(own in known for known in _PRIVATE + _DOCUMENTATION):
        what = f"is {own}, a public ASN that somebody may own"
        yield Problem(("bgp", "nodeAsn"), what, "a private ASN: 64512-65534 or 4200000000-4294967294")


def hold_time_is_sane(file: SiteFile, _: Path) -> Iterator[Problem]:
    hold = file.bgp.hold_time
    if hold % timedelta(seconds=1) or not timedelta(seconds=3) <= hold <= timedelta(seconds=65535):
        what = f"is {hold.total_seconds():g}s"
        yield Problem(("bgp", "holdTime"), what, "whole seconds from 3s to 65535s (RFC 4271)")


def bfd_is_sane(file: SiteFile, _: Path) -> Iterator[Problem]:
    """MetalLB's own bounds; and a BFD slower than the hold time finds nothing first."""
    bfd = file.bgp.bfd
    if bfd is None:
        return
    if not _LEAST <= bfd.interval <= _MOST:
        what = f"is {bfd.interval / timedelta(milliseconds=1):g}ms"
        yield Problem(("bgp", "bfd", "interval"), what, "from 10ms to 60s")
    elif bfd.interval * bfd.multiplier >= file.bgp.hold_time:
        found, hold = (bfd.interval * bfd.multiplier).total_seconds(), file.bgp.hold_time.total_seconds()
        what = f"times {bfd.multiplier} finds a dead node after {found:g}s, no sooner than the hold time of {hold:g}s"
        yield Problem(("bgp", "bfd", "interval"), what, "interval x multiplier below bgp.holdTime")
