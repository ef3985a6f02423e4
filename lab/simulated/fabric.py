"""A model of routes and gateways, polled from the (simulated) Kubernetes API by one thread.

A node announces every VIP while it is not excluded and one of its gateway pods is ready (or terminating but
still serving), which is MetalLB's rule for externalTrafficPolicy Local. Routers follow one poll later: that lag
is what makes an eviction without a withdrawal lose requests in the model, as it does on wires.
"""

from __future__ import annotations

import contextlib
from collections import deque
from dataclasses import dataclass

from lab.simulated.repeating import Repeating
from rollout.engine.ports import Cluster
from rollout.errors import RackrollError

POLL_S = 0.1
LAG_POLLS = 2


@dataclass(frozen=True, slots=True)
class View:
    """One poll: nodes that announce, and nodes whose gateway would answer a request right now."""

    announcing: frozenset[str] = frozenset()
    answering: frozenset[str] = frozenset()


def view_of(cluster: Cluster) -> View:
    """Ask the API once."""
    excluded = {node.name for node in cluster.nodes() if node.excluded or not node.ready}
    gateways = [proxy for proxy in cluster.proxies() if proxy.gateway and proxy.node]
    serving = {proxy.node for proxy in gateways if proxy.node and (proxy.ready or proxy.terminating)}
    running = {proxy.node for proxy in gateways if proxy.node}
    return View(announcing=frozenset(serving - excluded), answering=frozenset(running))


class SimulatedFabric(Repeating):
    """Keeps the last polls: ``routed`` is what routers believe, ``now`` is what is true."""

    def __init__(self, cluster: Cluster) -> None:
        super().__init__("simulated-fabric", period=POLL_S)
        self._cluster = cluster
        self._views: deque[View] = deque([View()], maxlen=LAG_POLLS + 1)

    @property
    def now(self) -> View:
        return self._views[-1]

    @property
    def routed(self) -> frozenset[str]:
        return self._views[0].announcing

    def tick(self) -> None:
        with contextlib.suppress(RackrollError):
            self._views.append(view_of(self._cluster))
