"""Which checks must be Open before a step that takes something away. The checks themselves are rollout/checks'."""

from __future__ import annotations

from dataclasses import dataclass

from rollout.model.plan import Options
from rollout.model.site import Site

N1_WITHOUT = "GW-N1-WITHOUT"
N1_NOW = "GW-N1-NOW"
ROUTE_GONE = "GW-ROUTE-GONE"
NODE_FREE = "NODE-FREE"


@dataclass(frozen=True, slots=True)
class Gates:
    """``calm`` is asked before every step that begins something: is this the time for it at all?

    The tuples are made once for a plan: ten thousand nodes share them.
    """

    calm: tuple[str, ...]
    gateways: bool

    @property
    def charts(self) -> tuple[str, ...]:
        return (N1_NOW, *self.calm) if self.gateways else self.calm

    def first(self, *, routes: bool) -> tuple[str, ...]:
        """Before a node is touched at all."""
        return (N1_WITHOUT if routes else N1_NOW, NODE_FREE, *self.calm)

    @property
    def withdrawing(self) -> tuple[str, ...]:
        return (N1_WITHOUT, NODE_FREE)

    @property
    def route_gone(self) -> tuple[str, ...]:
        return (ROUTE_GONE,)

    def emptying(self, routes: bool) -> tuple[str, ...]:
        return (N1_WITHOUT, ROUTE_GONE) if routes else (N1_NOW,)

    def acting(self, routes: bool) -> tuple[str, ...]:
        return (N1_WITHOUT, ROUTE_GONE) if routes else (N1_NOW,)


def gates_of(site: Site, options: Options) -> Gates:
    """Breaking the glass leaves out what is about the time; what is about the gateways and the node stays."""
    del options
    return Gates(calm=(), gateways=bool(site.gateways))
