"""The outside client's load over the model: same counters, no packets."""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager
from dataclasses import replace
from types import TracebackType

from lab.load.tally import LoadCount
from lab.simulated.fabric import SimulatedFabric
from lab.simulated.ports import answers


class SimulatedLoad(AbstractContextManager["SimulatedLoad"]):
    """``rate`` modelled requests per second; kept-alive ones have no meaning in the model and count as none."""

    def __init__(self, fabric: SimulatedFabric, *, rate: float) -> None:
        self._fabric = fabric
        self._period = 1 / rate
        self._count = LoadCount()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._send, daemon=True, name="simulated-load")

    def __enter__(self) -> SimulatedLoad:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    @property
    def latest(self) -> LoadCount:
        return self._count

    def stop(self) -> LoadCount:
        self._stop.set()
        self._thread.join()
        return replace(self._count, final=True)

    def _send(self) -> None:
        while not self._stop.wait(self._period):
            had = self._count
            lost = 0 if answers(self._fabric, had.sent) else 1
            self._count = replace(had, sent=had.sent + 1, lost=had.lost + lost)
