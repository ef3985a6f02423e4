"""Look at everything a plan leans on, once, and change nothing."""

from __future__ import annotations

from rollout.engine.join import next_hops_of
from rollout.engine.ports import World
from rollout.model.observed import Observed, RibEntry


def observe(world: World) -> Observed:
    """Raises :class:`rollout.errors.Unreachable` if any ToR or the cluster does not answer.

    A plan made around a silent ToR would count its gateways as missing, or worse, as there.
    """
    switches, gateways = world.site.switches, world.site.gateways
    rib = tuple(
        RibEntry(switch.name, vip, hops)
        for switch, table in zip(switches, next_hops_of(world, switches, gateways), strict=True)
        for vip, hops in table.items()
    )
    return Observed(
        kubernetes=world.cluster.version(),
        charts=world.charts.releases(),
        nodes=world.cluster.nodes(),
        proxies=world.cluster.proxies(),
        rib=rib,
        agents=world.cluster.agents(),
    )
