"""What runs on each node, as far as the plan has come: one plan may visit a node at several versions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from rollout.model.observed import Observed
from rollout.model.recipe import CommandOnNode, RenewOnNode, ReplaceNodeAgents, RestartProxies
from rollout.planner.leg import Task, Work

Versions = frozenset[str]
Spread = Mapping[str, Versions]
"""Node name to the versions seen there; several while something is half moved."""

NONE: Versions = frozenset()
KUBERNETES = "kubernetes"


@dataclass(frozen=True, slots=True)
class Standing:
    """``proxies`` by subject, ``gateways`` by gateway name, ``agents`` by (subject, component), ``charts`` by
    (namespace, release): each what the last step left."""

    proxies: Mapping[str, Spread]
    gateways: Mapping[str, Spread]
    agents: Mapping[tuple[str, str], Spread]
    charts: Mapping[tuple[str, str], str]

    def held(self, task: Task, node: str) -> Versions:
        """The versions that this task would replace on the node; empty where it has nothing to do."""
        match task.action:
            case RestartProxies():
                return self.proxies.get(task.subject, {}).get(node, NONE)
            case ReplaceNodeAgents(components=components):
                return NONE.union(*(self._agents(task.subject, c, node) for c in components))
            case CommandOnNode(component=component):
                return self._agents(task.subject, component or "", node)
            case RenewOnNode():
                return NONE

    def _agents(self, subject: str, component: str, node: str) -> Versions:
        return self.agents.get((subject, component), {}).get(node, NONE)

    def everywhere(self, subject: str, component: str) -> Versions:
        """Every version of the component that was seen on any node."""
        return NONE.union(*self.agents.get((subject, component), {}).values())

    def stale(self, gateways: Iterable[str], node: str, version: str) -> frozenset[str]:
        """Those of the gateways that are not at the version on this node."""
        return frozenset(g for g in gateways if self.gateways.get(g, {}).get(node, NONE) - {version})

    def after(self, work: Work, gateways: Mapping[str, tuple[str, ...]]) -> Standing:
        """Once every node's tasks are done. ``gateways``: subject to its gateways' names."""
        proxies = {key: dict(spread) for key, spread in self.proxies.items()}
        ingress = {key: dict(spread) for key, spread in self.gateways.items()}
        agents = {key: dict(spread) for key, spread in self.agents.items()}
        for node, tasks in work.items():
            for task in tasks:
                at = frozenset({task.version})
                match task.action:
                    case RestartProxies():
                        _put(proxies.get(task.subject), node, at)
                        for name in gateways.get(task.subject, ()):
                            _put(ingress.get(name), node, at)
                    case ReplaceNodeAgents(components=components):
                        for component in components:
                            _put(agents.get((task.subject, component)), node, at)
                    case CommandOnNode(component=component):
                        _put(agents.get((task.subject, component or "")), node, at)
                    case RenewOnNode():
                        pass
        return replace(self, proxies=proxies, gateways=ingress, agents=agents)

    def with_charts(self, installed: Mapping[tuple[str, str], str]) -> Standing:
        return replace(self, charts={**self.charts, **installed})


def _put(spread: dict[str, Versions] | None, node: str, at: Versions) -> None:
    """Only where something was before: a node without a proxy has none afterwards."""
    if spread is not None and node in spread:
        spread[node] = at


def standing(observed: Observed) -> Standing:
    """Proxies that are already leaving are not counted: what comes after them is the new version."""
    proxies: defaultdict[str, defaultdict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    gateways: defaultdict[str, defaultdict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    agents: defaultdict[tuple[str, str], defaultdict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for proxy in observed.proxies:
        if proxy.node and not proxy.terminating:
            proxies[proxy.mesh][proxy.node].add(proxy.version)
            if proxy.gateway:
                gateways[proxy.gateway][proxy.node].add(proxy.version)
    for state in observed.nodes:
        if state.kubelet:
            agents[KUBERNETES, "kubelet"][state.name].add(bare(KUBERNETES, state.kubelet))
    for agent in observed.agents:
        if agent.node and not agent.terminating:
            agents[agent.subject, agent.component][agent.node].add(bare(agent.subject, agent.version))
    charts = {(c.namespace, c.release): c.version for c in observed.charts if c.status == "deployed"}
    return Standing(
        {key: _sets(spread) for key, spread in proxies.items()},
        {key: _sets(spread) for key, spread in gateways.items()},
        {key: _sets(spread) for key, spread in agents.items()},
        charts,
    )


def bare(subject: str, version: str) -> str:
    """Kubernetes writes v1.35.4 and everyone else 1.35.4: one spelling, so that one version is one."""
    return version.removeprefix("v") if subject == KUBERNETES else version


def _sets(spread: Mapping[str, set[str]]) -> Spread:
    return {node: frozenset(versions) for node, versions in spread.items()}
