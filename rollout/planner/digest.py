"""What a plan leans on, as a digest. Volatile facts (revisions, pod names, counters) stay out of them."""

from __future__ import annotations

from collections import defaultdict

from rollout.model.observed import Observed
from rollout.model.site import Site
from rollout.planner.canonical import sha256
from rollout.planner.serving import serving


def observed_digest(site: Site, observed: Observed) -> str:
    """Versions, charts, nodes with their marks, and who serves each VIP: if one moved, the plan is stale."""
    charts = {(c.namespace, c.release, c.chart, c.version, c.status) for c in observed.charts}
    gateways = {(p.gateway, p.node, p.version) for p in observed.proxies if p.gateway and not p.terminating}
    sidecars = {(p.mesh, p.node, p.version) for p in observed.proxies if not p.gateway and not p.terminating}
    nodes = {(n.name, n.ready, n.cordoned, n.excluded, n.owner) for n in observed.nodes}
    return sha256(
        {
            "kubernetes": observed.kubernetes,
            "charts": sorted(charts),
            "gateways": sorted(gateways, key=repr),
            "sidecars": sorted(sidecars, key=repr),
            "nodes": sorted(nodes, key=repr),
            "agents": _agents(observed),
            "serving": {g.name: sorted(serving(site, observed, g)) for g in site.gateways},
        }
    )


def _agents(observed: Observed) -> list[object]:
    """Version by component; where several run side by side also by node, for then it matters who is behind.

    Pods of a Deployment change their nodes by themselves, and a plan may wait for its signatures for a day.
    """
    found: defaultdict[tuple[str, str], set[tuple[str, str]]] = defaultdict(set)
    for agent in observed.agents:
        if not agent.terminating:
            found[agent.subject, agent.component].add((agent.version, agent.node or ""))
    for node in observed.nodes:
        if node.kubelet:
            found["kubernetes", "kubelet on its node"].add((node.kubelet, node.name))
    return [(*key, _spread(rows)) for key, rows in sorted(found.items())]


def _spread(rows: set[tuple[str, str]]) -> list[tuple[str, ...]]:
    versions = {version for version, _ in rows}
    return [(version,) for version in versions] if len(versions) == 1 else sorted(rows)
