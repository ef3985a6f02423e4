"""When a node's Lease has run out: by the clock of who watches it, whatever the kubelet's own says."""

from __future__ import annotations

from datetime import timedelta

from lab.kube.heartbeats import LEASE_NAMESPACE, LEASE_SECONDS
from lab.kube.objects import micro_timestamp
from lab.kube.resource import LEASES, NODES
from tests.unit.kube_world import World, conditions

OURS = "n9"


def renewed(world: World, behind: timedelta) -> None:
    spec = {"renewTime": micro_timestamp(world.clock.now() - behind), "leaseDurationSeconds": LEASE_SECONDS}
    world.store.patch(LEASES, LEASE_NAMESPACE, OURS, {"spec": spec})


def kubelet(world: World, behind: timedelta) -> None:
    """A Ready node of our own, with a Lease that nobody but this test renews."""
    world.store.create(NODES, {"metadata": {"name": OURS}, "spec": {}})
    ready = {"type": "Ready", "status": "True", "lastTransitionTime": "2026-11-28T00:00:00Z"}
    world.store.patch_status(NODES, None, OURS, {"conditions": [ready]})
    spec = {"holderIdentity": OURS, "renewTime": micro_timestamp(world.clock.now() - behind)}
    world.store.create(LEASES, {"metadata": {"name": OURS, "namespace": LEASE_NAMESPACE}, "spec": spec})


def test_a_kubelet_whose_clock_is_ten_minutes_behind_is_alive_while_it_renews() -> None:
    world, behind = World(), timedelta(minutes=10)
    kubelet(world, behind)
    for _ in range(6):
        world.pass_time(LEASE_SECONDS / 4)
        renewed(world, behind)
    assert conditions(world.get(NODES, OURS))["Ready"] == "True"


def test_a_kubelet_that_stops_is_lost_once_its_lease_has_run_out() -> None:
    world = World()
    kubelet(world, timedelta())
    world.pass_time(LEASE_SECONDS / 2)
    assert conditions(world.get(NODES, OURS))["Ready"] == "True"
    world.pass_time(LEASE_SECONDS)
    assert conditions(world.get(NODES, OURS))["Ready"] == "Unknown"
