"""What was seen, as one value. A plan carries the digest of this; ``apply`` refuses if it moved."""

from __future__ import annotations

from dataclasses import dataclass

from rollout.model.site import Address


@dataclass(frozen=True, slots=True)
class ChartState:
    """A Helm release as found: ``status`` is Helm's word (deployed, failed, pending-upgrade, ...)."""

    release: str
    namespace: str
    chart: str
    version: str
    status: str
    revision: int


@dataclass(frozen=True, slots=True)
class NodeState:
    name: str
    ready: bool
    cordoned: bool
    excluded: bool
    owner: str | None  # run id that owns the cordon or the exclude label, if it is one of ours
    kubelet: str | None = None  # as the node reports it, for instance v1.35.4; None where nobody asked


@dataclass(frozen=True, slots=True)
class NodeBoot:
    """What the API says of one node's boot, none of it part of an observation: it changes by itself.

    ``boot`` is the kernel's boot id as the kubelet reports it, empty where it does not; ``heartbeat`` the Ready
    condition's last one, in the kubelet's own writing. ``ready_since``: a line for each gateway pod shown Ready.
    """

    ready: bool
    boot: str
    heartbeat: str
    ready_since: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ProxyState:
    """One data-plane proxy: a gateway pod (``gateway`` set) or a sidecar. ``version`` is the mesh's, not Envoy's."""

    pod: str
    namespace: str
    node: str | None
    mesh: str
    version: str
    gateway: str | None
    ready: bool
    terminating: bool


@dataclass(frozen=True, slots=True)
class AgentState:
    """One pod of a component that is no proxy: an istiod, a ztunnel, a speaker, a Cilium agent, a Consul server.

    ``component`` is the name that the rules use; ``version`` is read from the image's tag; ``revision`` is
    Istio's, None elsewhere.
    """

    subject: str
    component: str
    namespace: str
    pod: str
    node: str | None
    version: str
    ready: bool
    terminating: bool
    revision: str | None = None


@dataclass(frozen=True, slots=True)
class RibEntry:
    """The next-hops one ToR has for one VIP, as its BGP table's valid multipaths say."""

    switch: str
    vip: Address
    next_hops: frozenset[Address]


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """Fresh connections from outside to one VIP. ``versions`` counts what the answering gateways call themselves."""

    vip: Address
    tried: int
    ok: int
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Observed:
    kubernetes: str | None
    charts: tuple[ChartState, ...]
    nodes: tuple[NodeState, ...]
    proxies: tuple[ProxyState, ...]
    rib: tuple[RibEntry, ...]
    agents: tuple[AgentState, ...] = ()

    def chart(self, namespace: str, release: str) -> ChartState | None:
        return next((c for c in self.charts if (c.namespace, c.release) == (namespace, release)), None)
