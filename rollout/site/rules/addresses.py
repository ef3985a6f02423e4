"""Two hosts on one address look like one flaky host; found here it costs a line, found later a night."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rollout.model.site import Network
from rollout.site.problem import FieldPath, Problem
from rollout.site.rules.walk import fabric_addresses, gateways, racks, repeated, ssh_targets
from rollout.site.schema import SiteFile


def ssh_is_unique(file: SiteFile, _: Path) -> Iterator[Problem]:
    found: list[tuple[FieldPath, tuple[str, int]]] = [
        ((*path, "address"), (target.address, port)) for path, target, port in ssh_targets(file)
    ]
    return repeated(found, lambda end: f"the ssh address {end[0]}, port {end[1]},", "an address of its own")


def fabric_is_unique(file: SiteFile, _: Path) -> Iterator[Problem]:
    """VIPs count: a VIP that is also a host's address would be answered by that host alone."""
    vips = (((*path, "vip"), gateway.vip) for path, gateway in gateways(file))
    found = [*vips, *fabric_addresses(file)]
    return repeated(found, lambda address: f"the address {address}", "an address of its own")


def fabric_is_reachable(file: SiteFile, _: Path) -> Iterator[Problem]:
    for path, address in fabric_addresses(file):
        if address.is_loopback:
            yield Problem(
                path, f"is {address}, a loopback address", "the address that the rack's fabric sees"
            )


def node_and_tor_share_a_family(file: SiteFile, _: Path) -> Iterator[Problem]:
    for path, rack in racks(file):
        tor = rack.tor.fabric
        for index, node in enumerate(rack.nodes):
            if node.fabric.version != tor.version:
                what = f"is IPv{node.fabric.version}, but its ToR {rack.tor.name} peers from {tor}"
                expected = f"an IPv{tor.version} address in the ToR's subnet"
                field = (*path, "nodes", index, "fabric")
                yield Problem(field, what, expected, other=(*path, "tor", "fabric"))


def pools_hold_no_host(file: SiteFile, _: Path) -> Iterator[Problem]:
    """MetalLB would hand a node's own address to a Service."""
    prefixes: list[tuple[str, Network]] = [
        (pool.name, prefix) for pool in file.pools for prefix in pool.prefixes
    ]
    for path, address in fabric_addresses(file):
        for name, prefix in prefixes:
            if address in prefix:
                what = f"is {address}, which is inside the pool {name} ({prefix})"
                yield Problem(path, what, "an address outside every pool")
