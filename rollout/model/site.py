"""The site as facts: racks, nodes, switches, address pools, meshes. Frozen, standard library only.

Built from ``site.yaml`` by :mod:`rollout.site`; everything else in the product reads these nouns and
none of them knows YAML. Durations are ``timedelta``, addresses are ``ipaddress`` objects.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from pathlib import Path

from rollout.model.mesh import ChartSource, Gateway, Mesh
from rollout.model.policy import Policy

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class SshAccess:
    """How to log in. ``known_hosts`` must already hold the host's key: trust on first use is refused.

    ``timeout`` is for each part of a login: connecting, the banner, the key.
    """

    address: str
    port: int
    user: str
    key_file: Path
    known_hosts: Path
    timeout: timedelta = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class Node:
    """One Kubernetes node. ``name`` is its Kubernetes node name; ``fabric_address`` is what it peers from."""

    name: str
    rack: str
    ssh: SshAccess
    fabric_address: Address
    gateway: bool


class SwitchPlatform(StrEnum):
    FRR = "frr"


@dataclass(frozen=True, slots=True)
class Switch:
    """A top-of-rack switch. ``fabric_address`` is what nodes peer with; ``accepts`` bounds what they may announce."""

    name: str
    rack: str
    platform: SwitchPlatform
    ssh: SshAccess
    asn: int
    fabric_address: Address
    accepts: tuple[Network, ...]


@dataclass(frozen=True, slots=True)
class Rack:
    """The unit that waves move. ``failure_domain`` is what dies together (a power feed, by default the rack)."""

    name: str
    failure_domain: str
    switch: Switch
    nodes: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Pool:
    """A MetalLB IPAddressPool; VIPs are taken from it and announced as /32 or /128."""

    name: str
    prefixes: tuple[Network, ...]


@dataclass(frozen=True, slots=True)
class BfdTimers:
    """RFC 5880 asynchronous mode: detection time is ``interval * multiplier``."""

    interval: timedelta
    multiplier: int


@dataclass(frozen=True, slots=True)
class Bgp:
    """What node and ToR agree on. ``bfd`` None means hold time alone finds a dead node."""

    node_asn: int
    hold_time: timedelta
    bfd: BfdTimers | None
    maximum_prefixes: int
    multipath: int


@dataclass(frozen=True, slots=True)
class MetalLb:
    """How withdrawing works depends on ``version`` (facts: cordon withdraws in 0.14.9 only)."""

    version: str
    namespace: str
    charts: ChartSource
    pools: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class KernelProfile:
    """Sysctls, key and value, as they must read live and after a reboot."""

    sysctls: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class ClockProfile:
    """chrony's sources; ``makestep_threshold`` and ``makestep_updates`` as in chrony.conf's makestep."""

    servers: tuple[str, ...]
    makestep_threshold: timedelta
    makestep_updates: int
    max_offset: timedelta


@dataclass(frozen=True, slots=True)
class ControlPlaneHost:
    """A host that runs an API server. Its upgrade command is the site's own."""

    name: str
    ssh: SshAccess


@dataclass(frozen=True, slots=True)
class Kubernetes:
    """``upgrade_control_plane`` and ``upgrade_node`` are the site's own commands; ``{version}`` in an argument is
    replaced by the target version. Empty means that rackroll treats Kubernetes as a constraint only."""

    kubeconfig: Path
    context: str | None
    version: str
    control_plane: tuple[ControlPlaneHost, ...] = ()
    upgrade_control_plane: tuple[str, ...] = ()
    upgrade_node: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ProbePoint:
    """Where the outside probe stands: a host reached by SSH, or (``ssh`` None) the machine rackroll runs on."""

    name: str
    ssh: SshAccess | None
    path: str
    host_header: str


@dataclass(frozen=True, slots=True)
class Pacing:
    """How the node transaction waits. Defaults come from the measured order that lost nothing (see docs/decisions).

    drain_wait: after the gateway's health check fails, time for kept-alive connections to be closed.
    fabric_settle: after the route is gone from the ToR, time for the rest of the fabric to follow.
    soak / soak_samples: both must pass before the next node moves.
    """

    drain_wait: timedelta
    fabric_settle: timedelta
    soak: timedelta
    soak_samples: int
    step_timeout: timedelta


@dataclass(frozen=True, slots=True)
class Site:
    name: str
    folder: Path
    racks: tuple[Rack, ...]
    pools: tuple[Pool, ...]
    bgp: Bgp
    kernel: KernelProfile
    clock: ClockProfile
    kubernetes: Kubernetes
    metallb: MetalLb
    meshes: tuple[Mesh, ...]
    probe: ProbePoint
    pacing: Pacing
    rack_label: str
    gateway_label: str
    policy: Policy = field(default_factory=Policy)
    journal: str | None = None
    """A Postgres URL as written, with its ${REFERENCES} unresolved; None keeps the journal in the run directory."""

    @property
    def nodes(self) -> tuple[Node, ...]:
        return tuple(node for rack in self.racks for node in rack.nodes)

    @property
    def switches(self) -> tuple[Switch, ...]:
        return tuple(rack.switch for rack in self.racks)

    @property
    def gateways(self) -> tuple[Gateway, ...]:
        return tuple(gateway for mesh in self.meshes for gateway in mesh.gateways)

    @property
    def gateway_nodes(self) -> tuple[Node, ...]:
        return tuple(node for node in self.nodes if node.gateway)

    def node(self, name: str) -> Node:
        return next(node for node in self.nodes if node.name == name)

    def switch(self, name: str) -> Switch:
        return next(switch for switch in self.switches if switch.name == name)

    def rack(self, name: str) -> Rack:
        return next(rack for rack in self.racks if rack.name == name)

    def mesh(self, name: str) -> Mesh:
        return next(mesh for mesh in self.meshes if mesh.name == name)

    def gateway(self, name: str) -> Gateway:
        return next(gateway for gateway in self.gateways if gateway.name == name)

    def pool(self, name: str) -> Pool:
        return next(pool for pool in self.pools if pool.name == name)

    def accepted_prefixes(self) -> Iterator[Network]:
        """The exact prefixes the nodes may announce: every pool this site's MetalLB serves."""
        for name in self.metallb.pools:
            yield from self.pool(name).prefixes
