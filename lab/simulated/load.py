"""The outside client's load over the model: same counters, no packets."""

from __future__ import annotations

from dataclasses import replace

from lab.load.tally import LoadCount
from lab.simulated.fabric import SimulatedFabric
from lab.simulated.ports import answers
from lab.simulated.repeating import Repeating


class SimulatedLoad(Repeating):
    """``rate`` modelled requests per second; kept-alive ones have no meaning in the model and count as none."""

    def __init__(self, fabric: SimulatedFabric, *, rate: float) -> None:
        super().__init__("simulated-load", period=1 / rate)
        self._fabric = fabric
        self._count = LoadCount()

    @property
    def latest(self) -> LoadCount:
        return self._count

    def stop(self) -> LoadCount:
        self.halt()
        return replace(self._count, final=True)

    def tick(self) -> None:
        had = self._count
        lost = 0 if answers(self._fabric, had.sent) else 1
        self._count = replace(had, sent=had.sent + 1, lost=had.lost + lost)
