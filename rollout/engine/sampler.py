"""Watches the N-1 join in the background while a run moves, a few times a second."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from threading import Event, Thread

from rollout.engine.context import Run
from rollout.engine.join import routed_by_vip
from rollout.errors import RackrollError
from rollout.model.event import GatewaysSampled, Observer, VipSample

STOP_WITHIN = 10.0


@contextmanager
def sampling(run: Run, observer: Observer) -> Iterator[None]:
    """A sample that cannot be had is left out: the gates, not the sampler, decide what no answer means."""
    if run.tempo.sample_every is None or not run.site.gateways:
        yield
        return
    over = Event()
    thread = Thread(target=_sample, args=(run, observer, over), name="gateway-sampler", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(STOP_WITHIN)


def _sample(run: Run, observer: Observer, over: Event) -> None:
    assert run.tempo.sample_every is not None
    pause = run.tempo.sample_every / timedelta(seconds=1)
    while not over.is_set():
        try:
            sample = take_sample(run)
        except RackrollError:
            sample = None
        if sample is not None and not over.is_set():
            run.gauge.saw(sample.in_rib)
            observer(sample)
        over.wait(pause)


def take_sample(run: Run) -> GatewaysSampled:
    """Per VIP the nodes in their ToRs' RIBs and the Ready ones; of several VIPs the worst counts."""
    world, total = run.world, len(run.site.gateway_nodes)
    routes = routed_by_vip(world, run.site.gateways)
    for vip, nodes in routes.items():
        run.gauge.routes(str(vip), nodes)
    vips = tuple(
        VipSample(g.name, len(routes[g.vip]), len(world.cluster.ready_gateway_nodes(g)), total)
        for g in run.site.gateways
    )
    in_rib, ready = min(vip.in_rib for vip in vips), min(vip.ready for vip in vips)
    return GatewaysSampled(in_rib, ready, total, run.gauge.lost_in_all, vips)
