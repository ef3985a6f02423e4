"""The embedded lab's hosts beside the machines: time server, spine and outside client, as network namespaces.

The out-of-band bridge is libvirt's by then; the spine's end of each uplink goes into the bridge that the ToR's is in.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from lab.command import run
from lab.fabric.wiring import cable_lines, host_lines
from lab.state import Role, namespace_of
from lab.topology import OOB_HOST, Cable, End, LabHost, Topology
from lab.vm.machines import Machines

BESIDE = (Role.TIME, Role.SPINE, Role.CLIENT)


def beside(topology: Topology) -> tuple[LabHost, ...]:
    return topology.with_role(*BESIDE)


def namespaces(topology: Topology) -> tuple[str, ...]:
    """The exact namespaces of this lab, the out-of-band one first."""
    return tuple(
        namespace_of(topology.site, name) for name in (OOB_HOST, *(h.name for h in beside(topology)))
    )


def around(topology: Topology, machines: Machines) -> Topology:
    """What of the wiring is not Vagrant's: a ToR's end of an uplink becomes a port of its bridge, out of band."""
    inside = {host.name for host in beside(topology)} | {OOB_HOST}
    cables = []
    for cable in topology.cables:
        if cable.near.host in inside and cable.far.host in inside:
            cables.append(cable)
        elif cable.far.host in inside and cable.far.host != OOB_HOST:
            bridge = machines.uplink(cable.near.host)
            cables.append(Cable(End(OOB_HOST, f"{bridge}-spine", bridge=bridge), cable.far))
    return replace(topology, hosts=beside(topology), cables=tuple(cables))


def make_bridges(topology: Topology, machines: Machines) -> None:
    """The namespaces, and the uplinks' bridges: libvirt wants those before its networks start."""
    run(["ip", "-batch", "-"], stdin="".join(f"netns add {name}\n" for name in namespaces(topology)))
    lines = ["link set lo up"]
    for name in machines.bridges:
        lines += [f"link add {name} type bridge stp_state 0 mcast_snooping 0", f"link set {name} up"]
    _ip(topology, OOB_HOST, lines)


def wire(topology: Topology, machines: Machines) -> None:
    """Plug in the hosts beside, once libvirt has made the out-of-band bridge. Raises RackrollError."""
    here = around(topology, machines)
    _ip(here, OOB_HOST, cable_lines(here))
    _ip(here, OOB_HOST, _ports(here))
    for host in here.hosts:
        _ip(here, host.name, host_lines(here, host.name))


def _ports(here: Topology) -> Iterator[str]:
    for end in here.ends(OOB_HOST):
        yield f"link set {end.interface} master {end.bridge}"
        yield f"link set {end.interface} up"


def _ip(topology: Topology, host: str, lines: Iterator[str] | list[str]) -> None:
    text = "".join(f"{line}\n" for line in lines)
    run(["ip", "-n", namespace_of(topology.site, host), "-batch", "-"], stdin=text)
