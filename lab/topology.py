"""The wiring of the lab, derived from the site: every host, its addresses and its cables. Pure.

Out of band (10.255.0.0/24, ``mgmt0``) carries ssh and time; the fabric carries traffic: a bridge per rack on
its ToR, a /31 from each ToR to the one spine, and the outside client behind the spine.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv4Interface, IPv4Network

from lab.state import Role
from rollout.errors import RackrollError
from rollout.model.site import Address, Rack, Site, SshAccess

OOB = IPv4Network("10.255.0.0/24")
OOB_HOST = "oob"
OOB_BRIDGE = IPv4Interface("10.255.0.254/24")
API_PORT = 6443
"""Where a real API server listens on the out-of-band bridge's address."""
LOOPBACK = "127.0.0.1"
UPLINKS = IPv4Network("10.255.128.0/24")
OUTSIDE = IPv4Network("198.51.100.0/24")
OUTSIDE_SPINE = IPv4Interface("198.51.100.1/24")
OUTSIDE_CLIENT = IPv4Interface("198.51.100.10/24")
RACK_PREFIX_LENGTH = 24
SPINE = "spine"


@dataclass(frozen=True, slots=True)
class Forward:
    """Where the machine's loopback reaches this host's sshd."""

    address: IPv4Address
    port: int

    def __str__(self) -> str:
        return f"{self.address}:{self.port}"


@dataclass(frozen=True, slots=True)
class LabHost:
    """One namespace host. ``gateway`` is its default route on the fabric."""

    name: str
    role: Role
    oob_address: IPv4Address
    fabric_address: IPv4Address | None = None
    gateway: IPv4Address | None = None
    forward: Forward | None = None
    asn: int | None = None


@dataclass(frozen=True, slots=True)
class End:
    """One end of a cable; ``bridge`` puts it into that bridge of the host instead of giving it an address."""

    host: str
    interface: str
    address: IPv4Interface | None = None
    bridge: str | None = None


@dataclass(frozen=True, slots=True)
class Cable:
    near: End
    far: End


@dataclass(frozen=True, slots=True)
class Uplink:
    """One ToR to the spine: BGP over a /31."""

    tor: str
    tor_address: IPv4Address
    spine_address: IPv4Address
    rack_network: IPv4Network


@dataclass(frozen=True, slots=True)
class Topology:
    site: str
    hosts: tuple[LabHost, ...]
    cables: tuple[Cable, ...]
    uplinks: tuple[Uplink, ...]

    def host(self, name: str) -> LabHost:
        return next(host for host in self.hosts if host.name == name)

    def with_role(self, *roles: Role) -> tuple[LabHost, ...]:
        return tuple(host for host in self.hosts if host.role in roles)

    def ends(self, host: str) -> Iterator[End]:
        for cable in self.cables:
            yield from (end for end in (cable.near, cable.far) if end.host == host)


def topology_of(site: Site) -> Topology:
    """Every host and cable of this site's lab; raises RackrollError where the lab cannot embody the site."""
    hosts = tuple(_hosts(site))
    _refuse_clashes(site, hosts)
    cables = (*_oob_cables(hosts), *_rack_cables(site), *_uplink_cables(site), _outside_cable(site))
    return Topology(site.name, hosts, cables, tuple(_uplinks(site)))


def _hosts(site: Site) -> Iterator[LabHost]:
    clocks = [_oob_clock(site, server) for server in site.clock.servers]
    free = (address for address in OOB.hosts() if address not in (*clocks, OOB_BRIDGE.ip))
    for number, clock in enumerate(clocks, start=1):
        yield LabHost("time" if number == 1 else f"time-{number}", Role.TIME, clock)
    yield LabHost(SPINE, Role.SPINE, next(free), OUTSIDE_SPINE.ip, asn=_spine_asn(site))
    probe = _forward(site, site.probe.ssh) if site.probe.ssh else None
    yield LabHost(site.probe.name, Role.CLIENT, next(free), OUTSIDE_CLIENT.ip, OUTSIDE_SPINE.ip, probe)
    for rack in site.racks:
        yield from _rack_hosts(site, rack, free)


def _rack_hosts(site: Site, rack: Rack, free: Iterator[IPv4Address]) -> Iterator[LabHost]:
    tor = rack.switch
    here = _v4(site, tor.fabric_address)
    yield LabHost(tor.name, Role.TOR, next(free), here, None, _forward(site, tor.ssh), tor.asn)
    for node in rack.nodes:
        address = _v4(site, node.fabric_address)
        yield LabHost(node.name, Role.NODE, next(free), address, here, _forward(site, node.ssh))


def _oob_cables(hosts: tuple[LabHost, ...]) -> Iterator[Cable]:
    for number, host in enumerate(hosts):
        address = IPv4Interface(f"{host.oob_address}/{OOB.prefixlen}")
        yield Cable(End(host.name, "mgmt0", address), End(OOB_HOST, f"p{number}", bridge="oob0"))


def _rack_cables(site: Site) -> Iterator[Cable]:
    for rack in site.racks:
        for number, node in enumerate(rack.nodes, start=1):
            address = IPv4Interface(f"{node.fabric_address}/{RACK_PREFIX_LENGTH}")
            port = End(rack.switch.name, f"swp{number}", bridge="rack0")
            yield Cable(End(node.name, "fab0", address), port)


def _uplink_cables(site: Site) -> Iterator[Cable]:
    for number, uplink in enumerate(_uplinks(site), start=1):
        tor = End(uplink.tor, "up0", IPv4Interface(f"{uplink.tor_address}/31"))
        yield Cable(tor, End(SPINE, f"down{number}", IPv4Interface(f"{uplink.spine_address}/31")))


def _outside_cable(site: Site) -> Cable:
    return Cable(End(site.probe.name, "ext0", OUTSIDE_CLIENT), End(SPINE, "ext0", OUTSIDE_SPINE))


def _uplinks(site: Site) -> Iterator[Uplink]:
    pairs = UPLINKS.subnets(new_prefix=31)
    for rack, pair in zip(site.racks, pairs, strict=False):
        near = _v4(site, rack.switch.fabric_address)
        network = IPv4Interface(f"{near}/{RACK_PREFIX_LENGTH}").network
        yield Uplink(rack.switch.name, pair[1], pair[0], network)


def _spine_asn(site: Site) -> int:
    """A private ASN that nobody in the site uses; the spine is not part of the site."""
    taken = {site.bgp.node_asn, *(switch.asn for switch in site.switches)}
    return next(asn for asn in range(64512 - 12, 65535) if asn not in taken)


def _oob_clock(site: Site, server: str) -> IPv4Address:
    try:
        address = IPv4Address(server)
    except AddressValueError:
        address = None
    if address is None or address not in OOB or address == OOB_BRIDGE.ip:
        raise _cannot(site, f"clock.servers has {server}", f"name an address in {OOB}, as 10.255.0.5")
    return address


def _forward(site: Site, ssh: SshAccess) -> Forward:
    try:
        address = IPv4Address(ssh.address)
    except AddressValueError:
        address = None
    if address is None or not address.is_loopback:
        raise _cannot(site, f"ssh address {ssh.address} is not on loopback", "give it one in 127.0.0.0/8")
    if ssh.user != "root":
        raise _cannot(site, f"ssh user is {ssh.user}", "lab hosts know only root: set ssh.user to root")
    return Forward(address, ssh.port)


def _v4(site: Site, address: Address) -> IPv4Address:
    if not isinstance(address, IPv4Address):
        raise _cannot(site, f"fabric address {address} is IPv6", "the embedded lab's fabric is IPv4 only")
    return address


def _refuse_clashes(site: Site, hosts: tuple[LabHost, ...]) -> None:
    names = [host.name for host in hosts]
    twice = {name for name in (*names, OOB_HOST) if (*names, OOB_HOST).count(name) > 1}
    if twice:
        hint = "the lab itself uses spine, time and oob: rename yours"
        raise _cannot(site, f"two lab hosts called {', '.join(sorted(twice))}", hint)
    if len(site.racks) > UPLINKS.num_addresses // 2:
        raise _cannot(site, f"{len(site.racks)} racks", "the lab has uplinks for 128 racks")
    _refuse_shared_networks(site)


def _refuse_shared_networks(site: Site) -> None:
    networks = [uplink.rack_network for uplink in _uplinks(site)]
    if len(set(networks)) < len(networks):
        raise _cannot(site, "two racks share one /24", "give each ToR's fabric address its own /24")
    for rack, network in zip(site.racks, networks, strict=True):
        for node in rack.nodes:
            if node.fabric_address not in network:
                hint = f"its ToR {rack.switch.name} bridges {network}"
                raise _cannot(site, f"{node.name} has fabric address {node.fabric_address}", hint)


def _cannot(site: Site, what: str, hint: str) -> RackrollError:
    return RackrollError(f"the lab cannot embody this site: {what}", where=str(site.folder), hint=hint)
