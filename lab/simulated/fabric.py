"""A model of routes and gateways, polled from the (simulated) Kubernetes API by one thread.

A node announces every VIP while it is not excluded and one of its gateway pods is ready (or terminating but
still serving), which is MetalLB's rule for externalTrafficPolicy Local. Routers follow one poll later: that lag
is what makes an eviction without a withdrawal lose requests in the model, as it does on wires.
"""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from contextlib import AbstractContextManager
from dataclasses import dataclass
from types import TracebackType

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


class SimulatedFabric(AbstractContextManager["SimulatedFabric"]):
    """Keeps the last polls: ``routed`` is what routers believe, ``now`` is what is true."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._views: deque[View] = deque([View()], maxlen=LAG_POLLS + 1)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._poll, daemon=True, name="simulated-fabric")

    def __enter__(self) -> SimulatedFabric:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    @property
    def now(self) -> View:
        return self._views[-1]

    @property
    def routed(self) -> frozenset[str]:
        return self._views[0].announcing

    def _poll(self) -> None:
        while not self._stop.wait(POLL_S):
            with contextlib.suppress(RackrollError):
                self._views.append(view_of(self._cluster))
