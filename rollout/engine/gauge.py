"""What was measured while a run moves; written by the sampler's thread and the executor's."""

from __future__ import annotations

from collections import Counter
from threading import Lock


class Gauge:
    """Keeps the fewest gateways in the RIB, the probes lost and how often each VIP's next-hops changed, since the
    last :meth:`take` and :meth:`take_changes`."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._minimum: int | None = None
        self._lost = 0
        self._lost_in_all = 0
        self._routes: dict[str, frozenset[str]] = {}
        self._changes: Counter[str] = Counter()

    def saw(self, in_rib: int) -> None:
        with self._lock:
            self._minimum = in_rib if self._minimum is None else min(self._minimum, in_rib)

    def routes(self, vip: str, nodes: frozenset[str]) -> None:
        """One look at who serves ``vip``; that it differs from the last look is one change of its next-hop set.

        What changes and changes back between two looks is not seen, nor what changes while no process looks.
        """
        with self._lock:
            self._changes[vip] += self._routes.get(vip, nodes) != nodes
            self._routes[vip] = nodes

    def lose(self, probes: int) -> None:
        with self._lock:
            self._lost += probes
            self._lost_in_all += probes

    @property
    def lost_in_all(self) -> int:
        with self._lock:
            return self._lost_in_all

    def take(self) -> tuple[int | None, int]:
        """Minimum and losses since last time; both start afresh, so each journal record has its own share."""
        with self._lock:
            taken = self._minimum, self._lost
            self._minimum, self._lost = None, 0
            return taken

    def take_changes(self) -> tuple[tuple[str, int], ...]:
        """VIPs whose next-hops changed since last time, and how often; the looks themselves are remembered."""
        with self._lock:
            taken = tuple(sorted((vip, count) for vip, count in self._changes.items() if count))
            self._changes.clear()
            return taken
