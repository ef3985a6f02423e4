"""What a fleet looks like at one moment, small enough to keep: counts and names, no pod, no value, no secret."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from rollout.model.observed import ChartState, NodeState
from rollout.model.site import Address


@dataclass(frozen=True, slots=True)
class VersionCount:
    """How many instances of one component run one version. ``component`` of a gateway is its name."""

    subject: str
    component: str
    version: str
    count: int
    ready: int


@dataclass(frozen=True, slots=True)
class Endpoints:
    """The nodes that have a Ready pod of this gateway, sorted."""

    gateway: str
    vip: Address
    nodes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NextHops:
    """What one ToR has for one VIP, sorted."""

    switch: str
    vip: Address
    addresses: tuple[Address, ...]


@dataclass(frozen=True, slots=True)
class ServingCertificate:
    """The leaf that a VIP shows to a client outside; ``sha256`` is the fingerprint of its DER form, in hex."""

    subject: str
    issuer: str
    not_after: datetime
    sha256: str


@dataclass(frozen=True, slots=True)
class Serving:
    """``certificate`` None: not available, and ``why`` says why (a VIP that speaks no TLS, nobody who could ask)."""

    gateway: str
    certificate: ServingCertificate | None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """``taken`` is in UTC. ``name`` says when in the run, for instance before or after."""

    run: str
    name: str
    site: str
    taken: datetime
    kubernetes: str | None
    versions: tuple[VersionCount, ...]
    endpoints: tuple[Endpoints, ...]
    next_hops: tuple[NextHops, ...]
    serving: tuple[Serving, ...]
    nodes: tuple[NodeState, ...]
    charts: tuple[ChartState, ...]
