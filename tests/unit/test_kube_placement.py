"""Where pods go, and why they do not."""

from __future__ import annotations

import pytest

from lab.kube.objects import Obj, condition
from lab.kube.resource import DEPLOYMENTS, NODES
from tests.unit.kube_world import World, workload

HOST = "kubernetes.io/hostname"


@pytest.fixture
def world() -> World:
    return World()


def why(pod: Obj) -> str:
    found = condition(pod, "PodScheduled")
    return str(found["message"]) if found and found["status"] == "False" else ""


def test_replicas_spread_over_nodes_by_themselves(world: World) -> None:
    world.make(DEPLOYMENTS, workload("Deployment", "web", replicas=6))
    assert world.nodes_of("web") == ["n1", "n1", "n2", "n2", "n3", "n3"]


def test_a_cordoned_node_gets_nothing_new(world: World) -> None:
    world.store.patch(NODES, None, "n1", {"spec": {"unschedulable": True}})
    world.make(DEPLOYMENTS, workload("Deployment", "web", replicas=4))
    assert set(world.nodes_of("web")) == {"n2", "n3"}


def test_a_pod_that_fits_nowhere_waits_and_moves_in_when_a_node_fits(world: World) -> None:
    world.make(DEPLOYMENTS, workload("Deployment", "web", replicas=1, pod={"nodeSelector": {"disk": "fast"}}))
    assert (
        why(world.pods("web")[0])
        == "0/3 nodes are available: 3 node(s) didn't match Pod's node affinity/selector."
    )
    world.store.patch(NODES, None, "n2", {"metadata": {"labels": {"disk": "fast"}}})
    world.pass_time()
    assert world.nodes_of("web") == ["n2"]


def test_required_anti_affinity_keeps_one_per_host(world: World) -> None:
    term = {"labelSelector": {"matchLabels": {"app": "web"}}, "topologyKey": HOST}
    apart = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
    world.make(DEPLOYMENTS, workload("Deployment", "web", replicas=4, pod={"affinity": apart}))
    assert world.nodes_of("web") == ["None", "n1", "n2", "n3"]
    waiting = next(pod for pod in world.pods("web") if "nodeName" not in pod["spec"])
    assert "3 node(s) didn't match pod anti-affinity rules" in why(waiting)


def test_a_hard_spread_refuses_what_would_skew_it(world: World) -> None:
    for node, rack in (("n1", "a"), ("n2", "a"), ("n3", "b")):
        world.store.patch(NODES, None, node, {"metadata": {"labels": {"rack": rack}}})
    row = {
        "maxSkew": 1,
        "topologyKey": "rack",
        "whenUnsatisfiable": "DoNotSchedule",
        "labelSelector": {"matchLabels": {"app": "web"}},
    }
    world.store.patch(NODES, None, "n3", {"spec": {"unschedulable": True}})
    world.make(
        DEPLOYMENTS, workload("Deployment", "web", replicas=3, pod={"topologySpreadConstraints": [row]})
    )
    assert world.nodes_of("web") == ["None", "None", "n1"]
    world.store.patch(NODES, None, "n3", {"spec": {"unschedulable": None}})
    world.pass_time()
    assert len([n for n in world.nodes_of("web") if n == "n3"]) >= 1
    assert "None" not in world.nodes_of("web")


def test_honoured_taints_take_a_cordoned_rack_out_of_the_count(world: World) -> None:
    for node, rack in (("n1", "a"), ("n2", "a"), ("n3", "b")):
        world.store.patch(NODES, None, node, {"metadata": {"labels": {"rack": rack}}})
    row = {
        "maxSkew": 1,
        "topologyKey": "rack",
        "whenUnsatisfiable": "DoNotSchedule",
        "nodeTaintsPolicy": "Honor",
        "labelSelector": {"matchLabels": {"app": "web"}},
    }
    world.store.patch(NODES, None, "n3", {"spec": {"unschedulable": True}})
    world.pass_time()
    world.make(
        DEPLOYMENTS, workload("Deployment", "web", replicas=3, pod={"topologySpreadConstraints": [row]})
    )
    assert "None" not in world.nodes_of("web")


def test_a_taint_keeps_out_all_but_those_who_tolerate_it(world: World) -> None:
    for node in ("n1", "n2"):
        world.store.patch(
            NODES, None, node, {"spec": {"taints": [{"key": "k", "value": "v", "effect": "NoSchedule"}]}}
        )
    toleration = [{"key": "k", "operator": "Equal", "value": "v"}]
    world.make(DEPLOYMENTS, workload("Deployment", "plain", replicas=2))
    world.make(DEPLOYMENTS, workload("Deployment", "brave", replicas=2, pod={"tolerations": toleration}))
    assert set(world.nodes_of("plain")) == {"n3"}
    assert set(world.nodes_of("brave")) == {"n1", "n2"}
