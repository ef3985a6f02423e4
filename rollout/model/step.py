"""Every effect the engine can have, as a closed union of values.

A step says what shall be true, not how to make it so: delivery is at-least-once, so each one is
idempotent and its handler observes before it acts. ``title`` is for people, ``key`` for the journal.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class ConfigureHosts:
    """Kernel and clock of these nodes are as the site says (one pyinfra job)."""

    rack: str
    nodes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ConfigureSwitch:
    """The ToR's lines that rackroll owns are as the site says; a second diff is empty."""

    switch: str


@dataclass(frozen=True, slots=True)
class InstallChart:
    """The Helm release is deployed at exactly this chart version with the role's values.

    ``subject`` names who renders the values: a mesh name, or ``metallb``.
    """

    subject: str
    release: str
    namespace: str
    chart: str
    version: str


@dataclass(frozen=True, slots=True)
class ApplyObjects:
    """The role's Kubernetes objects for this subject and part are applied (server-side, our field manager)."""

    subject: str
    part: str


@dataclass(frozen=True, slots=True)
class AwaitControlPlane:
    """The mesh's control plane answers at this version and every replica is Ready."""

    mesh: str
    version: str


@dataclass(frozen=True, slots=True)
class AwaitGateways:
    """Every gateway node of this gateway has a Ready pod and the VIP is in every ToR that has gateway nodes."""

    gateway: str


@dataclass(frozen=True, slots=True)
class AwaitPeering:
    """Each gateway node of this rack has an Established session on its ToR (BFD up where configured)."""

    switch: str


@dataclass(frozen=True, slots=True)
class DrainGateways:
    """This mesh's gateways on the node fail their health check and close kept-alive connections; ``wait`` passes."""

    node: str
    wait: timedelta
    mesh: str


@dataclass(frozen=True, slots=True)
class Withdraw:
    """The node announces no VIP (for MetalLB >= 0.15: the exclude label, with our run id beside it)."""

    node: str


@dataclass(frozen=True, slots=True)
class AwaitWithdrawn:
    """The node is no next-hop of any VIP in its ToR's RIB; then the fabric gets ``settle`` to follow."""

    node: str
    settle: timedelta


@dataclass(frozen=True, slots=True)
class Cordon:
    node: str


@dataclass(frozen=True, slots=True)
class Evict:
    """The mesh's share of this node (gateways and sidecar pods older than ``version``) is evicted, PDB-aware."""

    node: str
    mesh: str
    version: str


@dataclass(frozen=True, slots=True)
class AwaitNodeReady:
    """The node is Ready, and every gateway pod that belongs on it is Ready at ``version``."""

    node: str
    mesh: str
    version: str


@dataclass(frozen=True, slots=True)
class Uncordon:
    node: str


@dataclass(frozen=True, slots=True)
class Advertise:
    """The node may announce again: our exclude label is gone (only ours is ever removed)."""

    node: str


@dataclass(frozen=True, slots=True)
class AwaitAdvertised:
    """The node is a next-hop of each of its VIPs in its ToR's RIB again."""

    node: str


@dataclass(frozen=True, slots=True)
class ProbeVips:
    """Every VIP answers ``samples`` fresh connections from outside."""

    samples: int


@dataclass(frozen=True, slots=True)
class Soak:
    """Nothing moves for ``duration`` and until ``samples`` outside probes have passed."""

    duration: timedelta
    samples: int


@dataclass(frozen=True, slots=True)
class NaiveReplace:
    """NEGATIVE CONTROL ONLY: delete every one of these nodes' mesh pods at once, without drain or withdraw."""

    nodes: tuple[str, ...]
    mesh: str


Effect = (
    ConfigureHosts
    | ConfigureSwitch
    | InstallChart
    | ApplyObjects
    | AwaitControlPlane
    | AwaitGateways
    | AwaitPeering
    | DrainGateways
    | Withdraw
    | AwaitWithdrawn
    | Cordon
    | Evict
    | AwaitNodeReady
    | Uncordon
    | Advertise
    | AwaitAdvertised
    | ProbeVips
    | Soak
    | NaiveReplace
)


@dataclass(frozen=True, slots=True)
class Step:
    """One effect with its place in the plan and the checks that must be Open before it may start."""

    key: str
    effect: Effect
    gates: tuple[str, ...] = ()
    node: str | None = None
