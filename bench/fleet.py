"""Fleets made to measure: a site file's text, the site itself, and what would be observed on it.

Simulated: nothing here was ever read from a cluster. Plain functions; the property tests build their random fleets
from the same parts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from rollout.model.mesh import Mesh
from rollout.model.observed import AgentState, ChartState, NodeState, Observed, ProxyState, RibEntry
from rollout.model.role import SubjectRole
from rollout.model.site import Node, Rack, Site

KUBERNETES = "v1.35.4"
BEFORE = "1.30.3"
AFTER = "1.31.1"

SINGLE = frozenset({"istiod", "controller", "operator", "control-plane", "server", "apiserver"})
"""Components that do not run on every node."""


@dataclass(frozen=True, slots=True)
class Shape:
    """How large a fleet is. ``sidecars`` are counted per worker node."""

    racks: int
    nodes_per_rack: int
    gateways_per_rack: int = 1
    sidecars: int = 4

    @property
    def nodes(self) -> int:
        return self.racks * self.nodes_per_rack


def site_text(shape: Shape) -> str:
    """A valid ``site.yaml`` of this shape, written as a person would: one line for each node."""
    return _HEAD + "".join(_rack_text(shape, rack) for rack in range(1, shape.racks + 1))


def _rack_text(shape: Shape, rack: int) -> str:
    high, low = divmod(rack, 250)
    nodes = "".join(_node_text(shape, rack, node) for node in range(1, shape.nodes_per_rack + 1))
    return f"""
  - name: r{rack}
    failureDomain: feed-{(rack - 1) // 4 + 1}
    tor:
      name: tor-r{rack}
      platform: frr
      asn: {4_200_000_000 + rack}
      ssh: {{address: tor-r{rack}.oob.example}}
      fabric: 10.{high}.{low}.1
      accepts: [203.0.113.0/24]
    nodes:
{nodes}"""


def _node_text(shape: Shape, rack: int, node: int) -> str:
    high, low = divmod(rack, 250)
    name = f"r{rack}n{node}"
    gateway = ", gateway: true" if node <= shape.gateways_per_rack else ""
    fabric = f"10.{high}.{low}.{node + 9}"
    return f"      - {{name: {name}, ssh: {{address: {name}.oob.example}}, fabric: {fabric}{gateway}}}\n"


_HEAD = f"""# Made by bench/fleet.py: a simulated fleet.
site: bench

ssh: {{user: rackroll, keyFile: ~/.ssh/bench_ed25519, knownHosts: known_hosts}}

kubernetes: {{version: "1.35", kubeconfig: ~/.kube/bench}}

clock:
  servers: [ntp-a.example, ntp-b.example, ntp-c.example]

bgp: {{nodeAsn: 4200009999, holdTime: 9s, bfd: {{interval: 300ms, multiplier: 3}}}}

pools:
  - {{name: public, prefixes: [203.0.113.0/27]}}

metallb:
  version: 0.16.1
  namespace: metallb-system
  charts: {{http: "https://charts.example/metallb"}}
  pools: [public]

meshes:
  - name: istio
    kind: istio
    version: {BEFORE}
    namespace: istio-system
    namespaces: [shop, search, accounts]
    trustDomain: cluster.local
    charts: {{oci: "oci://charts.example/istio"}}
    gateways:
      - {{name: ingress, namespace: istio-ingress, pool: public, vip: 203.0.113.10, port: 443}}

probe: {{name: outside, path: /healthz, host: shop.example}}

racks:"""


def observed_of(
    site: Site, roles: Mapping[str, SubjectRole], versions: Mapping[str, str], *, sidecars: int = 4
) -> Observed:
    """Everything in service, each subject at its version in ``versions``: as a fleet at rest looks."""
    return Observed(
        kubernetes=KUBERNETES,
        charts=tuple(_charts(roles, versions)),
        nodes=tuple(NodeState(n.name, True, False, False, None, KUBERNETES) for n in site.nodes),
        proxies=tuple(p for mesh in site.meshes for p in _proxies(site, mesh, versions[mesh.name], sidecars)),
        rib=tuple(e for rack in site.racks for e in rib_entries(site, rack)),
        agents=tuple(a for name, at in versions.items() for a in agents_of(site, roles[name], at)),
    )


def _charts(roles: Mapping[str, SubjectRole], versions: Mapping[str, str]) -> Iterator[ChartState]:
    for name, role in roles.items():
        if name not in versions:
            continue
        for chart in role.charts():
            version = role.chart_version(chart, versions[name])
            yield ChartState(chart.release, chart.namespace, chart.chart, version, "deployed", 1)


def rib_entries(site: Site, rack: Rack) -> Iterator[RibEntry]:
    """What the rack's ToR has while all its gateway nodes announce."""
    hops = frozenset(node.fabric_address for node in rack.nodes if node.gateway)
    for gateway in site.gateways:
        yield RibEntry(rack.switch.name, gateway.vip, hops)


def agents_of(site: Site, role: SubjectRole, version: str) -> Iterator[AgentState]:
    """One pod on each node, or one alone for what does not run everywhere; preflights are over."""
    for kind in role.agents():
        if kind.component == "preflight":
            continue
        nodes = site.nodes[:1] if kind.component in SINGLE else site.nodes
        at = role.component_version(kind.component, version)
        for node in nodes:
            pod = f"{kind.container}-{node.name}"
            yield AgentState(role.name, kind.component, kind.namespace, pod, node.name, at, True, False)


def _proxies(site: Site, mesh: Mesh, version: str, sidecars: int) -> Iterator[ProxyState]:
    for node in site.nodes:
        if node.gateway:
            for gateway in mesh.gateways:
                yield proxy(
                    mesh, node, version, f"{gateway.name}-{node.name}", gateway.name, gateway.namespace
                )
        else:
            for number in range(sidecars):
                yield proxy(mesh, node, version, f"app-{number}-{node.name}", None, mesh.namespaces[0])


def proxy(mesh: Mesh, node: Node, version: str, pod: str, gateway: str | None, namespace: str) -> ProxyState:
    return ProxyState(pod, namespace, node.name, mesh.name, version, gateway, ready=True, terminating=False)
