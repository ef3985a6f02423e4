"""Which checks must be Open before a step that takes something away. The checks themselves are rollout/checks'."""

from __future__ import annotations

from dataclasses import dataclass, field

from rollout.model.site import Site

N1_WITHOUT = "GW-N1-WITHOUT"
N1_NOW = "GW-N1-NOW"
ROUTE_GONE = "GW-ROUTE-GONE"
NODE_FREE = "NODE-FREE"
WINDOW = "WINDOW-OPEN"
ALERTS = "ALERTS-QUIET"
CLOCK = "CLOCK-OFFSET"
CONNTRACK = "CONNTRACK-ROOM"
BUDGETS = "PDB-ALLOWS"
IMAGES = "IMAGES-PRESENT"

Names = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Gates:
    """Made once for a plan, so that ten thousand nodes share the same tuples. Keys of the mappings: a gateway
    node whose routes go first, and one (or a worker) whose routes stay."""

    charts: Names
    first: dict[tuple[bool, bool], Names] = field(hash=False)
    acting: dict[bool, Names] = field(hash=False)
    withdrawing: Names = (N1_WITHOUT, NODE_FREE)
    route_gone: Names = (ROUTE_GONE,)
    booted: Names = (CLOCK,)
    """On the way back after a reboot: a clock that is still off would break the certificates of what returns."""


def gates_of(site: Site) -> Gates:
    """What a site has not configured is not asked; every host has a clock and a connection table.

    A broken glass leaves every gate in the plan: the check itself opens, and says whose word opened it.

    ``first`` is (routes go first, pods are evicted): everything is looked at before the node loses anything, or
    it would wait half out of service.
    """
    calm = _calm(site)
    images: Names = (IMAGES,) if site.policy.images_required else ()
    return Gates(
        charts=((N1_NOW,) if site.gateways else ()) + calm,
        first={
            (routes, evicts): (
                N1_WITHOUT if routes else N1_NOW,
                NODE_FREE,
                *calm,
                CLOCK,
                CONNTRACK,
                *((BUDGETS,) if evicts else ()),
                *images,
            )
            for routes in (True, False)
            for evicts in (True, False)
        },
        acting={True: (N1_WITHOUT, ROUTE_GONE), False: (N1_NOW,)},
    )


def _calm(site: Site) -> Names:
    """Is this the time to begin anything?"""
    policy = site.policy
    windows: Names = (WINDOW,) if policy.windows or policy.freezes else ()
    return windows + ((ALERTS,) if policy.alerts is not None else ())
