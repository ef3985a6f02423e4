"""Controllers keep their promises, also when time passes, pods are refused and owners go."""

from __future__ import annotations

import pytest

from lab.kube import deletion
from lab.kube.controllers.budgets import check_eviction
from lab.kube.errors import TooManyRequests
from lab.kube.objects import Obj, name_of
from lab.kube.resource import (
    AUTOSCALERS,
    CONTROLLER_REVISIONS,
    DAEMON_SETS,
    DEPLOYMENTS,
    ENDPOINT_SLICES,
    JOBS,
    NAMESPACES,
    NODES,
    PDBS,
    PODS,
    REPLICA_SETS,
    SERVICES,
)
from tests.unit.kube_world import World, conditions, workload


@pytest.fixture
def world() -> World:
    return World()


def image_change(image: str) -> Obj:
    return {"spec": {"template": {"spec": {"containers": [{"name": "main", "image": image}]}}}}


def test_min_ready_seconds_delay_availability_not_readiness(world: World) -> None:
    early = world.make(DEPLOYMENTS, workload("Deployment", "web", replicas=1, minReadySeconds=10))
    assert (early["status"]["readyReplicas"], early["status"]["availableReplicas"]) == (1, 0)
    world.pass_time(12)
    assert world.get(DEPLOYMENTS, "web")["status"]["availableReplicas"] == 1


def test_a_recreate_deployment_never_runs_two_versions(world: World) -> None:
    world.make(DEPLOYMENTS, workload("Deployment", "web", replicas=2, strategy={"type": "Recreate"}))
    world.store.patch(DEPLOYMENTS, "default", "web", image_change("example.com/a:2"))
    for _ in range(10):
        world.loop.settle()
        world.clock.advance(0.05)
        images = {pod["spec"]["containers"][0]["image"] for pod in world.pods("web")}
        assert len(images) <= 1
    world.pass_time()
    assert [p["spec"]["containers"][0]["image"] for p in world.pods("web")] == ["example.com/a:2"] * 2


def test_a_rollout_that_cannot_progress_says_so_after_its_deadline(world: World) -> None:
    world.make(DEPLOYMENTS, workload("Deployment", "web", replicas=1, progressDeadlineSeconds=30))
    stuck = image_change("example.com/a:2")
    stuck["spec"]["template"]["spec"]["nodeSelector"] = {"none": "here"}
    world.store.patch(DEPLOYMENTS, "default", "web", stuck)
    world.pass_time(20)
    assert conditions(world.get(DEPLOYMENTS, "web"))["Progressing"] == "True"
    world.pass_time(15)
    found = world.get(DEPLOYMENTS, "web")
    assert conditions(found)["Progressing"] == "False"
    assert found["status"]["availableReplicas"] == 1


def test_a_paused_deployment_does_not_roll(world: World) -> None:
    world.make(DEPLOYMENTS, workload("Deployment", "web", replicas=1))
    world.store.patch(DEPLOYMENTS, "default", "web", {"spec": {"paused": True}})
    world.store.patch(DEPLOYMENTS, "default", "web", image_change("example.com/a:2"))
    world.pass_time()
    assert [p["spec"]["containers"][0]["image"] for p in world.pods("web")] == ["example.com/a:1"]


def test_old_replica_sets_are_forgotten_beyond_the_limit(world: World) -> None:
    world.make(DEPLOYMENTS, workload("Deployment", "web", replicas=1, revisionHistoryLimit=1))
    for number in range(2, 6):
        world.store.patch(DEPLOYMENTS, "default", "web", image_change(f"example.com/a:{number}"))
        world.pass_time()
    assert len(world.store.list(REPLICA_SETS, "default")) == 2


def test_a_deleted_deployment_takes_sets_and_pods_with_it(world: World) -> None:
    world.make(DEPLOYMENTS, workload("Deployment", "web", replicas=2))
    world.store.delete(DEPLOYMENTS, "default", "web")
    world.pass_time()
    assert (world.store.list(REPLICA_SETS), world.pods("web")) == ([], [])


def test_foreground_deletion_keeps_the_owner_until_its_pods_are_gone(world: World) -> None:
    world.make(DEPLOYMENTS, workload("Deployment", "web", replicas=1))
    world.store.delete(DEPLOYMENTS, "default", "web", deletion.Options(propagation="Foreground"))
    world.loop.settle()
    assert world.store.get(DEPLOYMENTS, "default", "web") is not None
    world.pass_time()
    assert world.store.get(DEPLOYMENTS, "default", "web") is None
    assert world.pods("web") == []


def test_orphaned_pods_outlive_their_owner(world: World) -> None:
    world.make(DAEMON_SETS, workload("DaemonSet", "d"))
    world.store.delete(DAEMON_SETS, "default", "d", deletion.Options(propagation="Orphan"))
    world.pass_time()
    assert world.store.get(DAEMON_SETS, "default", "d") is None
    assert len(world.pods("d")) == 3
    assert not any(pod["metadata"].get("ownerReferences") for pod in world.pods("d"))


def test_a_daemon_set_follows_node_labels(world: World) -> None:
    world.make(DAEMON_SETS, workload("DaemonSet", "d", pod={"nodeSelector": {"gateway": "true"}}))
    assert world.nodes_of("d") == []
    for node in ("n1", "n3"):
        world.store.patch(NODES, None, node, {"metadata": {"labels": {"gateway": "true"}}})
    world.pass_time()
    assert world.nodes_of("d") == ["n1", "n3"]
    world.store.patch(NODES, None, "n1", {"metadata": {"labels": {"gateway": None}}})
    world.pass_time()
    assert world.nodes_of("d") == ["n3"]


def test_a_daemon_pod_waits_until_the_old_one_is_gone(world: World) -> None:
    world.make(DAEMON_SETS, workload("DaemonSet", "d", updateStrategy={"type": "OnDelete"}))
    victim = world.pods("d")[0]
    world.kubelet.kill(victim["spec"]["nodeName"])
    world.store.delete(PODS, "default", name_of(victim))
    world.pass_time()
    assert len([n for n in world.nodes_of("d") if n == victim["spec"]["nodeName"]]) == 1
    world.kubelet.revive(victim["spec"]["nodeName"])
    world.pass_time()
    names = {name_of(pod) for pod in world.pods("d")}
    assert len(names) == 3
    assert name_of(victim) not in names


def test_a_rolling_daemon_set_never_exceeds_max_unavailable(world: World) -> None:
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1}}
    world.make(DAEMON_SETS, workload("DaemonSet", "d", updateStrategy=strategy))
    world.store.patch(DAEMON_SETS, "default", "d", image_change("example.com/a:2"))
    least = 3
    for _ in range(60):
        world.loop.settle()
        world.clock.advance(0.05)
        least = min(least, world.get(DAEMON_SETS, "d")["status"]["numberReady"])
    assert least == 2
    assert world.get(DAEMON_SETS, "d")["status"]["updatedNumberScheduled"] == 3


def test_a_surging_daemon_set_keeps_every_node_served(world: World) -> None:
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    world.make(DAEMON_SETS, workload("DaemonSet", "d", updateStrategy=strategy))
    world.store.patch(DAEMON_SETS, "default", "d", image_change("example.com/a:2"))
    for _ in range(80):
        world.loop.settle()
        world.clock.advance(0.05)
        serving = {p["spec"]["nodeName"] for p in world.pods("d") if conditions(p).get("Ready") == "True"}
        assert serving == {"n1", "n2", "n3"}
    assert {p["spec"]["containers"][0]["image"] for p in world.pods("d")} == {"example.com/a:2"}


def test_each_template_of_a_daemon_set_is_a_numbered_revision(world: World) -> None:
    world.make(DAEMON_SETS, workload("DaemonSet", "d", updateStrategy={"type": "OnDelete"}))
    world.store.patch(DAEMON_SETS, "default", "d", image_change("example.com/a:2"))
    world.pass_time()
    assert sorted(r["revision"] for r in world.store.list(CONTROLLER_REVISIONS)) == [1, 2]


def test_an_evictions_verdict_is_about_pods_as_they_are_now(world: World) -> None:
    """Two evictions in one breath must not both pass because a status lags behind."""
    world.make(DEPLOYMENTS, workload("Deployment", "web", replicas=2))
    budget = {"minAvailable": 1, "selector": {"matchLabels": {"app": "web"}}}
    world.make(PDBS, {"metadata": {"name": "web"}, "spec": budget})
    first, second = world.pods("web")
    check_eviction(world.store, first)
    world.store.delete(PODS, "default", name_of(first))
    with pytest.raises(TooManyRequests):
        check_eviction(world.store, second)


def test_a_percentage_counts_the_deployments_replicas(world: World) -> None:
    world.make(DEPLOYMENTS, workload("Deployment", "web", replicas=4))
    budget = {"maxUnavailable": "25%", "selector": {"matchLabels": {"app": "web"}}}
    found = world.make(PDBS, {"metadata": {"name": "web"}, "spec": budget})
    assert (found["status"]["expectedPods"], found["status"]["desiredHealthy"]) == (4, 3)
    assert found["status"]["disruptionsAllowed"] == 1


def test_a_terminating_endpoint_still_serves_but_is_not_ready(world: World) -> None:
    world.make(DEPLOYMENTS, workload("Deployment", "web", replicas=1))
    world.make(
        SERVICES, {"metadata": {"name": "web"}, "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]}}
    )
    pod = world.pods("web")[0]
    world.kubelet.kill(pod["spec"]["nodeName"])
    world.store.delete(PODS, "default", name_of(pod))
    world.loop.settle()
    endpoints = [e for piece in world.store.list(ENDPOINT_SLICES) for e in piece["endpoints"]]
    leaving = next(e for e in endpoints if e["targetRef"]["name"] == name_of(pod))
    assert leaving["conditions"] == {"ready": False, "serving": True, "terminating": True}


def test_a_named_target_port_is_looked_up_in_the_pods(world: World) -> None:
    pod = {
        "containers": [{"name": "main", "image": "a:1", "ports": [{"name": "http", "containerPort": 8080}]}]
    }
    world.make(DEPLOYMENTS, workload("Deployment", "web", replicas=1, pod=pod))
    ports = [{"port": 80, "targetPort": "http"}]
    world.make(SERVICES, {"metadata": {"name": "web"}, "spec": {"selector": {"app": "web"}, "ports": ports}})
    assert world.store.list(ENDPOINT_SLICES)[0]["ports"][0]["port"] == 8080


def test_a_job_completes_without_running_anything(world: World) -> None:
    job = {
        "metadata": {"name": "j"},
        "spec": {"template": {"spec": {"containers": [{"name": "m", "image": "i"}]}}},
    }
    assert conditions(world.make(JOBS, job))["Complete"] == "True"
    assert world.store.list(PODS) == []


def test_a_deleted_namespace_goes_after_its_pods(world: World) -> None:
    world.make(NAMESPACES, {"metadata": {"name": "shop"}})
    body = workload("Deployment", "web", replicas=2)
    body["metadata"]["namespace"] = "shop"
    world.make(DEPLOYMENTS, body)
    assert len(world.pods("web", "shop")) == 2
    world.store.delete(NAMESPACES, None, "shop")
    world.loop.settle()
    assert world.store.get(NAMESPACES, None, "shop") is not None
    world.pass_time()
    assert world.store.get(NAMESPACES, None, "shop") is None
    assert world.pods("web", "shop") == []


def test_a_silent_node_turns_not_ready_and_its_endpoints_go(world: World) -> None:
    world.make(DAEMON_SETS, workload("DaemonSet", "d"))
    world.make(
        SERVICES, {"metadata": {"name": "d"}, "spec": {"selector": {"app": "d"}, "ports": [{"port": 80}]}}
    )
    world.kubelet.kill("n2")
    world.pass_time(30)
    assert conditions(world.get(NODES, "n2"))["Ready"] == "True"
    world.pass_time(25)
    node = world.get(NODES, "n2")
    assert conditions(node)["Ready"] == "Unknown"
    assert {t["key"] for t in node["spec"]["taints"]} == {"node.kubernetes.io/unreachable"}
    ready = {
        e["nodeName"] for e in world.store.list(ENDPOINT_SLICES)[0]["endpoints"] if e["conditions"]["ready"]
    }
    assert ready == {"n1", "n3"}
    world.kubelet.revive("n2")
    world.pass_time(15)
    assert conditions(world.get(NODES, "n2"))["Ready"] == "True"
    assert not world.get(NODES, "n2")["spec"].get("taints")
    ready = {
        e["nodeName"] for e in world.store.list(ENDPOINT_SLICES)[0]["endpoints"] if e["conditions"]["ready"]
    }
    assert ready == {"n1", "n2", "n3"}


def test_a_cordon_is_also_a_taint_and_both_go_together(world: World) -> None:
    world.store.patch(NODES, None, "n1", {"spec": {"unschedulable": True}})
    world.pass_time()
    taints = world.get(NODES, "n1")["spec"]["taints"]
    assert taints == [{"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}]
    world.store.patch(NODES, None, "n1", {"spec": {"unschedulable": None}})
    world.pass_time()
    assert "taints" not in world.get(NODES, "n1")["spec"]


def autoscaler(least: int, most: int) -> Obj:
    ref = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    spec = {"scaleTargetRef": ref, "minReplicas": least, "maxReplicas": most}
    return {"metadata": {"name": "web", "namespace": "default"}, "spec": spec}


def test_an_autoscaler_raises_its_deployment_to_the_minimum_and_lowers_it_to_the_maximum(
    world: World,
) -> None:
    world.make(DEPLOYMENTS, workload("Deployment", "web"))
    world.make(AUTOSCALERS, autoscaler(2, 5))
    assert len(world.pods("web")) == 2
    world.store.patch(DEPLOYMENTS, "default", "web", {"spec": {"replicas": 7}})
    world.pass_time()
    assert len(world.pods("web")) == 5


def test_a_deployment_scaled_to_nothing_is_left_alone_by_its_autoscaler(world: World) -> None:
    world.make(AUTOSCALERS, autoscaler(2, 5))
    world.make(DEPLOYMENTS, workload("Deployment", "web", replicas=0))
    assert world.pods("web") == []
