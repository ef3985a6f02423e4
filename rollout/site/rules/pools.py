"""Pools are promises to the fabric: announced, accepted, and nobody else's."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

from rollout.model.site import Network
from rollout.site.problem import FieldPath, Problem
from rollout.site.rules.walk import gateways, racks, repeated
from rollout.site.schema import SiteFile


def _prefixes(file: SiteFile) -> list[tuple[FieldPath, str, Network]]:
    return [
        (("pools", outer, "prefixes", inner), pool.name, prefix)
        for outer, pool in enumerate(file.pools)
        for inner, prefix in enumerate(pool.prefixes)
    ]


def do_not_overlap(file: SiteFile, _: Path) -> Iterator[Problem]:
    for (first, name, one), (second, _name, two) in combinations(_prefixes(file), 2):
        if one.version == two.version and one.overlaps(two):
            what = f"overlaps {one} of the pool {name}"
            yield Problem(second, f"{two} {what}", "prefixes that share no address", other=first)


def are_accepted_by_every_tor(file: SiteFile, _: Path) -> Iterator[Problem]:
    """The ToR's prefix list would drop the announcement in silence: a gateway that nobody can reach."""
    for field, pool, prefix in _prefixes(file):
        if pool not in file.metallb.pools:
            continue
        for path, rack in racks(file):
            if not any(_inside(prefix, accepted) for accepted in rack.tor.accepts):
                accepts = ", ".join(map(str, rack.tor.accepts))
                what = f"{prefix} is outside what the ToR {rack.tor.name} accepts"
                expected = f"a prefix inside {accepts}, or a wider 'accepts'"
                yield Problem(field, what, expected, other=(*path, "tor", "accepts"))


def _inside(prefix: Network, accepted: Network) -> bool:
    inside = prefix.network_address in accepted and prefix.broadcast_address in accepted
    return prefix.version == accepted.version and inside


def of_metallb_exist(file: SiteFile, _: Path) -> Iterator[Problem]:
    known = [pool.name for pool in file.pools]
    for index, name in enumerate(file.metallb.pools):
        if name not in known:
            expected = "one of: " + ", ".join(known)
            yield Problem(("metallb", "pools", index), f"names the unknown pool '{name}'", expected)
    found: list[tuple[FieldPath, str]] = [
        (("metallb", "pools", index), name) for index, name in enumerate(file.metallb.pools)
    ]
    yield from repeated(found, lambda name: f"the pool '{name}'", "each pool once")


def of_gateways_are_served(file: SiteFile, _: Path) -> Iterator[Problem]:
    known = [pool.name for pool in file.pools]
    for path, gateway in gateways(file):
        field = (*path, "pool")
        if gateway.pool not in known:
            expected = "one of: " + ", ".join(known)
            yield Problem(field, f"names the unknown pool '{gateway.pool}'", expected)
        elif gateway.pool not in file.metallb.pools:
            what = f"names the pool '{gateway.pool}', which MetalLB does not serve"
            yield Problem(field, what, "a pool listed in metallb.pools", other=("metallb", "pools"))


def hold_their_vips(file: SiteFile, _: Path) -> Iterator[Problem]:
    prefixes = {pool.name: pool.prefixes for pool in file.pools}
    for path, gateway in gateways(file):
        own = prefixes.get(gateway.pool)
        if own is not None and not any(gateway.vip in prefix for prefix in own):
            what = f"is {gateway.vip}, outside its pool '{gateway.pool}'"
            yield Problem((*path, "vip"), what, "an address in " + " or ".join(map(str, own)))
