"""What was measured while a run moves; written by the sampler's thread and the executor's."""

from __future__ import annotations

from threading import Lock


class Gauge:
    """Keeps the fewest gateways in the RIB and the probes lost since the last :meth:`take`."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._minimum: int | None = None
        self._lost = 0
        self._lost_in_all = 0

    def saw(self, in_rib: int) -> None:
        with self._lock:
            self._minimum = in_rib if self._minimum is None else min(self._minimum, in_rib)

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
