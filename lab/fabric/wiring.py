"""Namespaces and cables, as batches for ``ip``. Nothing is ever added to the machine's own namespace."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from lab.command import run
from lab.state import Role, namespace_of
from lab.topology import OOB_BRIDGE, OOB_HOST, RACK_PREFIX_LENGTH, LabHost, Topology

RESILIENT_TABLE = 100
"""Looked up before ``main`` on ToRs and spine: VIPs through resilient next-hop groups."""


def namespaces(topology: Topology) -> tuple[str, ...]:
    """The exact namespaces this lab makes, the out-of-band one first."""
    names = (OOB_HOST, *(host.name for host in topology.hosts))
    return tuple(namespace_of(topology.site, name) for name in names)


def wire(topology: Topology) -> None:
    """Make every namespace, plug every cable, set every address. Raises RackrollError."""
    names = namespaces(topology)
    run(["ip", "-batch", "-"], stdin="".join(f"netns add {name}\n" for name in names))
    cables = "".join(f"{line}\n" for line in cable_lines(topology))
    run(["ip", "-n", names[0], "-batch", "-"], stdin=cables)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda name: _configure(topology, name), (OOB_HOST, *(h.name for h in topology.hosts))))


def _configure(topology: Topology, host: str) -> None:
    lines = "".join(f"{line}\n" for line in host_lines(topology, host))
    run(["ip", "-n", namespace_of(topology.site, host), "-batch", "-"], stdin=lines)


def cable_lines(topology: Topology) -> Iterator[str]:
    """Both ends are made in place (``netns``), so that none of them passes through another namespace."""
    for cable in topology.cables:
        near, far = cable.near, cable.far
        yield (
            f"link add name {near.interface} netns {namespace_of(topology.site, near.host)} type veth "
            f"peer name {far.interface} netns {namespace_of(topology.site, far.host)}"
        )


def host_lines(topology: Topology, host: str) -> Iterator[str]:
    """What ``ip -batch`` does inside one namespace, in order: bridge, ports, addresses, routes."""
    yield "link set lo up"
    yield from _bridge_lines(topology, host)
    for end in topology.ends(host):
        if end.bridge:
            yield f"link set {end.interface} master {end.bridge}"
        if end.address:
            yield f"addr add {end.address} dev {end.interface}"
        yield f"link set {end.interface} up"
    if host != OOB_HOST:
        yield from _route_lines(topology.host(host))


def _bridge_lines(topology: Topology, host: str) -> Iterator[str]:
    bridges = {end.bridge for end in topology.ends(host) if end.bridge}
    for bridge in sorted(bridges):
        yield f"link add {bridge} type bridge stp_state 0 mcast_snooping 0"
        yield f"addr add {_bridge_address(topology, host)} dev {bridge}"
        yield f"link set {bridge} up"


def _bridge_address(topology: Topology, host: str) -> str:
    if host == OOB_HOST:
        return str(OOB_BRIDGE)
    return f"{topology.host(host).fabric_address}/{RACK_PREFIX_LENGTH}"


def _route_lines(host: LabHost) -> Iterator[str]:
    if host.gateway:
        yield f"route add default via {host.gateway}"
    if host.role in (Role.TOR, Role.SPINE):
        yield f"rule add pref {RESILIENT_TABLE} lookup {RESILIENT_TABLE}"
