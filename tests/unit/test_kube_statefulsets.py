"""The simulated StatefulSet: ordinals, one after another, and a partition that holds the lower ones back."""

from __future__ import annotations

import pytest

from lab.kube.objects import Obj, name_of
from lab.kube.resource import PODS, STATEFUL_SETS
from tests.unit.kube_world import World, workload


@pytest.fixture
def world() -> World:
    made = World()
    made.make(STATEFUL_SETS, workload("StatefulSet", "server", replicas=3), 6)
    return made


def images(world: World) -> dict[str, str]:
    return {name_of(pod): pod["spec"]["containers"][0]["image"] for pod in world.pods("server")}


def move(world: World, *, partition: int, image: str = "example.com/a:2") -> None:
    container = [{"name": "main", "image": image}]
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"partition": partition}}
    spec = {"updateStrategy": strategy, "template": {"spec": {"containers": container}}}
    world.store.patch(STATEFUL_SETS, "default", "server", {"spec": spec})
    world.pass_time(10)


def status(world: World) -> Obj:
    found: Obj = world.get(STATEFUL_SETS, "server")["status"]
    return found


def test_pods_have_ordinals_and_come_one_after_another() -> None:
    world = World()
    world.make(STATEFUL_SETS, workload("StatefulSet", "server", replicas=3), 0)
    assert [name_of(pod) for pod in world.pods("server")] == ["server-0"]
    world.pass_time(6)
    assert sorted(images(world)) == ["server-0", "server-1", "server-2"]
    assert status(world)["readyReplicas"] == 3


def test_the_partition_holds_every_lower_ordinal_back(world: World) -> None:
    move(world, partition=2)
    assert images(world) == {
        "server-0": "example.com/a:1",
        "server-1": "example.com/a:1",
        "server-2": "example.com/a:2",
    }
    assert (status(world)["updatedReplicas"], status(world)["currentReplicas"]) == (1, 2)
    move(world, partition=0)
    assert set(images(world).values()) == {"example.com/a:2"}
    assert status(world)["currentRevision"] == status(world)["updateRevision"]


def test_a_pod_below_the_partition_comes_back_as_it_was(world: World) -> None:
    move(world, partition=2)
    world.store.delete(PODS, "default", "server-0")
    world.pass_time(6)
    assert images(world)["server-0"] == "example.com/a:1"


def test_a_server_that_does_not_get_ready_stops_the_walk(world: World) -> None:
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}}
    never = {"nodeSelector": {"there-is": "none"}}
    spec = {"updateStrategy": strategy, "template": {"spec": never}}
    world.store.patch(STATEFUL_SETS, "default", "server", {"spec": spec})
    world.pass_time(15)
    assert status(world)["updatedReplicas"] == 1
    assert status(world)["readyReplicas"] == 2


def test_fewer_replicas_take_the_highest_ordinals(world: World) -> None:
    world.store.patch(STATEFUL_SETS, "default", "server", {"spec": {"replicas": 1}})
    world.pass_time(6)
    assert sorted(images(world)) == ["server-0"]
