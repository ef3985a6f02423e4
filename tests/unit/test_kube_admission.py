"""Objects on their way in: defaults, allocated addresses and ports, refusals."""

from __future__ import annotations

import pytest

from lab.kube.errors import Invalid
from lab.kube.objects import Obj, with_value
from lab.kube.resource import DAEMON_SETS, DEPLOYMENTS, JOBS, PDBS, PODS, SECRETS, SERVICES, Resource
from tests.unit.kube_world import World, workload


@pytest.fixture
def world() -> World:
    return World()


def service(name: str, **spec: object) -> Obj:
    return {"metadata": {"name": name}, "spec": {"ports": [{"port": 80}], **spec}}


def test_cluster_addresses_and_node_ports_are_given_once(world: World) -> None:
    made = [world.store.create(SERVICES, service(f"s{n}", type="NodePort"))["spec"] for n in range(20)]
    assert len({spec["clusterIP"] for spec in made}) == 20
    assert len({spec["ports"][0]["nodePort"] for spec in made}) == 20


def test_an_update_keeps_what_was_allocated(world: World) -> None:
    spec = {"type": "LoadBalancer", "externalTrafficPolicy": "Local"}
    made = world.store.create(SERVICES, service("s", **spec))
    again = world.store.update(
        SERVICES, {**made, "spec": service("s", **spec, sessionAffinity="ClientIP")["spec"]}
    )
    for field in ("clusterIP", "healthCheckNodePort"):
        assert again["spec"][field] == made["spec"][field]
    assert again["spec"]["ports"] == made["spec"]["ports"]


def test_a_taken_node_port_is_refused(world: World) -> None:
    taken = world.store.create(SERVICES, service("a", type="NodePort"))["spec"]["ports"][0]["nodePort"]
    with pytest.raises(Invalid, match="already allocated"):
        world.store.create(SERVICES, service("b", type="NodePort", ports=[{"port": 80, "nodePort": taken}]))


def test_back_to_cluster_ip_gives_the_node_port_back(world: World) -> None:
    made = world.store.create(SERVICES, service("s", type="NodePort"))
    plain = world.store.update(SERVICES, with_value(made, ("spec", "type"), "ClusterIP"))
    assert "nodePort" not in plain["spec"]["ports"][0]


def test_selectors_may_not_change(world: World) -> None:
    made = world.store.create(DEPLOYMENTS, workload("Deployment", "web", replicas=0))
    labels = {"app": "web", "tier": "x"}
    new = with_value(made, ("spec", "template", "metadata", "labels"), labels)
    with pytest.raises(Invalid, match="field is immutable"):
        world.store.update(DEPLOYMENTS, with_value(new, ("spec", "selector"), {"matchLabels": labels}))


def test_a_daemon_set_drops_rolling_values_when_it_turns_to_on_delete(world: World) -> None:
    made = world.store.create(DAEMON_SETS, workload("DaemonSet", "d"))
    assert made["spec"]["updateStrategy"]["rollingUpdate"] == {"maxSurge": 0, "maxUnavailable": 1}
    changed = world.store.patch(
        DAEMON_SETS, "default", "d", {"spec": {"updateStrategy": {"type": "OnDelete"}}}
    )
    assert changed["spec"]["updateStrategy"] == {"type": "OnDelete"}


@pytest.mark.parametrize(
    ("resource", "spec", "told"),
    [
        (PODS, {"containers": []}, "spec.containers: Required value"),
        (PODS, {"containers": [{"name": "a"}]}, r"spec.containers\[0\].image"),
        (PDBS, {"minAvailable": 1, "maxUnavailable": 1}, "cannot be both set"),
    ],
)
def test_nonsense_is_refused_with_its_field(world: World, resource: Resource, spec: Obj, told: str) -> None:
    with pytest.raises(Invalid, match=told):
        world.store.create(resource, {"metadata": {"name": "x"}, "spec": spec})


def test_a_jobs_template_and_an_immutable_secret_stay(world: World) -> None:
    pod = {"spec": {"containers": [{"name": "a", "image": "a:1"}]}}
    world.store.create(JOBS, {"metadata": {"name": "j"}, "spec": {"template": pod}})
    with pytest.raises(Invalid):
        world.store.patch(JOBS, "default", "j", {"spec": {"template": {"metadata": {"labels": {"x": "y"}}}}})
    world.store.create(SECRETS, {"metadata": {"name": "s"}, "immutable": True, "data": {"k": "dg=="}})
    with pytest.raises(Invalid):
        world.store.patch(SECRETS, "default", "s", {"data": {"k": "dw=="}})
