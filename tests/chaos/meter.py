"""Watches the rack from outside the engine, twenty times a simulated second."""

from __future__ import annotations

from dataclasses import dataclass, field

from rollout.rules.n1 import floor
from tests.chaos.saboteur import Saboteur
from tests.unit.fake_world import FakeRack


@dataclass(slots=True)
class Meter:
    """``lowest`` is the fewest next-hops any VIP had; ``lost`` counts looks at which a client's connection would
    have gone to a next-hop without a serving pod; ``touched`` are foreign marks that somebody removed."""

    rack: FakeRack
    saboteur: Saboteur
    lowest: int | None = None
    samples: int = 0
    lost: int = 0
    touched: set[str] = field(default_factory=set)

    @property
    def floor(self) -> int:
        return floor(len(self.rack.site.gateway_nodes))

    def tick(self) -> None:
        self.samples += 1
        for gateway in self.rack.site.gateways:
            hops = self.rack.routed(gateway)
            self.lowest = len(hops) if self.lowest is None else min(self.lowest, len(hops))
            pods = [p for p in self.rack.pods.values() if p.gateway == gateway.name]
            serving = {p.node for p in pods if p.serves(self.rack.time)}
            self.lost += bool(hops - serving)
        gone = {name for name in self.saboteur.foreign if not self.rack.nodes[name].cordoned}
        self.touched |= gone
