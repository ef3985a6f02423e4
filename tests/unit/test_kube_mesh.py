"""What the charts bring with them: Istio's injection, MetalLB's addresses."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lab.kube.controllers.addresses import POOLS
from lab.kube.errors import WebhookFailed
from lab.kube.objects import Obj
from lab.kube.resource import CONFIG_MAPS, CRDS, DAEMON_SETS, DEPLOYMENTS, NAMESPACES, PODS, SERVICES
from tests.unit.kube_world import World, workload

AUTO = {"containers": [{"name": "istio-proxy", "image": "auto"}]}
GATEWAY: dict[str, Any] = {
    "pod": AUTO,
    "marks": {"sidecar.istio.io/inject": "true"},
    "updateStrategy": {"type": "OnDelete"},
}


@pytest.fixture
def world() -> World:
    world = World()
    for name in ("istio-system", "metallb-system"):
        world.make(NAMESPACES, {"metadata": {"name": name}}, 0.5)
    world.make(NAMESPACES, {"metadata": {"name": "shop", "labels": {"istio-injection": "enabled"}}}, 0.5)
    return world


def istiod(version: str) -> Obj:
    body = workload("Deployment", "istiod", replicas=1)
    body["metadata"] |= {"namespace": "istio-system", "labels": {"app": "istiod"}}
    image = f"docker.io/istio/pilot:{version}"
    body["spec"]["template"]["spec"]["containers"] = [{"name": "discovery", "image": image}]
    return body


def images(pods: list[Obj]) -> set[str]:
    return {c["image"] for pod in pods for c in pod["spec"]["containers"]}


def test_a_gateway_before_its_control_plane_is_refused_and_then_retried(world: World) -> None:
    world.make(DAEMON_SETS, workload("DaemonSet", "gw", **GATEWAY))
    assert world.pods("gw") == []
    world.make(DEPLOYMENTS, istiod("1.30.3"))
    assert images(world.pods("gw")) == {"docker.io/istio/proxyv2:1.30.3"}
    assert len(world.pods("gw")) == 3
    assert '"version": "1.30.3"' in world.pods("gw")[0]["metadata"]["annotations"]["sidecar.istio.io/status"]


def test_a_newer_control_plane_changes_no_running_pod_but_every_new_one(world: World) -> None:
    world.make(DEPLOYMENTS, istiod("1.30.3"))
    world.make(DAEMON_SETS, workload("DaemonSet", "gw", **GATEWAY))
    container = [{"name": "discovery", "image": "docker.io/istio/pilot:1.31.1"}]
    patch = {"spec": {"template": {"spec": {"containers": container}}}}
    world.store.patch(DEPLOYMENTS, "istio-system", "istiod", patch)
    world.pass_time()
    assert images(world.pods("gw")) == {"docker.io/istio/proxyv2:1.30.3"}
    world.store.delete(PODS, "default", world.pods("gw")[0]["metadata"]["name"])
    world.pass_time()
    assert images(world.pods("gw")) == {"docker.io/istio/proxyv2:1.30.3", "docker.io/istio/proxyv2:1.31.1"}


@pytest.mark.parametrize(
    ("image", "injected"),
    [
        ("docker.io/istio/proxyv2:1.30.3", "docker.io/istio/proxyv2:1.30.3"),
        ("proxyv2-debug", "hub.example/istio/proxyv2-debug:1.31.1"),
        ("", "hub.example/istio/proxyv2:1.31.1"),
    ],
    ids=["a full reference pins", "a name follows the control plane", "nothing follows the control plane"],
)
def test_new_pods_get_the_image_that_the_injectors_values_name(
    world: World, image: str, injected: str
) -> None:
    values = {"global": {"hub": "hub.example/istio", "proxy": {"image": image}}}
    held = {"metadata": {"name": "istio-sidecar-injector", "namespace": "istio-system"}}
    world.make(CONFIG_MAPS, held | {"data": {"values": json.dumps(values)}})
    world.make(DEPLOYMENTS, istiod("1.31.1"))
    world.make(DAEMON_SETS, workload("DaemonSet", "gw", **GATEWAY))
    assert images(world.pods("gw")) == {injected}


def test_pods_of_an_enabled_namespace_get_a_sidecar_unless_they_decline(world: World) -> None:
    world.make(DEPLOYMENTS, istiod("1.30.3"))
    for name, marks in (("with", {}), ("without", {"sidecar.istio.io/inject": "false"})):
        body = workload("Deployment", name, replicas=1, marks=marks)
        body["metadata"]["namespace"] = "shop"
        world.make(DEPLOYMENTS, body)
    names = [c["name"] for c in world.pods("with", "shop")[0]["spec"]["containers"]]
    assert names == ["main", "istio-proxy"]
    assert len(world.pods("without", "shop")[0]["spec"]["containers"]) == 1


def test_without_istiod_the_refusal_names_the_webhook(world: World) -> None:
    pod = {
        "metadata": {"name": "p", "namespace": "shop"},
        "spec": {"containers": [{"name": "a", "image": "a:1"}]},
    }
    with pytest.raises(WebhookFailed, match="no endpoints available for service istiod"):
        world.store.create(PODS, pod)


def metallb(world: World, *pools: Obj) -> None:
    names = {"kind": "IPAddressPool", "plural": "ipaddresspools"}
    versions = [{"name": "v1beta1", "served": True, "storage": True}]
    spec = {"group": "metallb.io", "names": names, "scope": "Namespaced", "versions": versions}
    world.make(CRDS, {"metadata": {"name": "ipaddresspools.metallb.io"}, "spec": spec})
    for pool in pools:
        world.make(POOLS, pool)
    body = workload("Deployment", "metallb-controller", replicas=1)
    body["metadata"] |= {
        "namespace": "metallb-system",
        "labels": {"app.kubernetes.io/component": "controller"},
    }
    world.make(DEPLOYMENTS, body)


def pool(name: str, *addresses: str, **spec: object) -> Obj:
    return {
        "metadata": {"name": name, "namespace": "metallb-system"},
        "spec": {"addresses": addresses, **spec},
    }


def balancer(name: str, annotations: dict[str, str] | None = None, **spec: object) -> Obj:
    meta = {"name": name, "annotations": annotations or {}}
    return {"metadata": meta, "spec": {"type": "LoadBalancer", "ports": [{"port": 80}], **spec}}


def address(service: Obj) -> str:
    rows = service["status"]["loadBalancer"].get("ingress") or [{"ip": "pending"}]
    return str(rows[0]["ip"])


def test_no_address_before_the_controller_runs(world: World) -> None:
    assert address(world.make(SERVICES, balancer("a"))) == "pending"
    metallb(world, pool("p", "203.0.113.0/30"))
    assert address(world.get(SERVICES, "a")) == "203.0.113.0"


def test_what_a_service_asks_for_it_gets_or_waits(world: World) -> None:
    metallb(world, pool("p", "203.0.113.0/30"))
    wish = {"metallb.io/loadBalancerIPs": "203.0.113.2"}
    assert address(world.make(SERVICES, balancer("a", wish))) == "203.0.113.2"
    assert address(world.make(SERVICES, balancer("b", wish))) == "pending"
    assert address(world.make(SERVICES, balancer("c", loadBalancerIP="203.0.113.3"))) == "203.0.113.3"
    assert address(world.make(SERVICES, balancer("d", loadBalancerIP="198.51.100.1"))) == "pending"


def test_a_named_pool_is_the_only_one_asked(world: World) -> None:
    metallb(world, pool("a", "203.0.113.0/30"), pool("b", "198.51.100.5-198.51.100.6", autoAssign=False))
    named = {"metallb.io/address-pool": "b"}
    found = [address(world.make(SERVICES, balancer(f"s{n}", named))) for n in range(3)]
    assert found == ["198.51.100.5", "198.51.100.6", "pending"]
    plain = world.make(SERVICES, balancer("plain"))
    assert address(plain) == "203.0.113.0"
    assert plain["metadata"]["annotations"]["metallb.io/ip-allocated-from-pool"] == "a"


def test_a_freed_address_goes_to_who_waits(world: World) -> None:
    metallb(world, pool("p", "203.0.113.1/32"))
    world.make(SERVICES, balancer("a"))
    assert address(world.make(SERVICES, balancer("b"))) == "pending"
    world.store.delete(SERVICES, "default", "a")
    world.pass_time()
    assert address(world.get(SERVICES, "b")) == "203.0.113.1"


def test_an_address_outlives_its_controller(world: World) -> None:
    metallb(world, pool("p", "203.0.113.0/30"))
    world.make(SERVICES, balancer("a"))
    world.store.delete(DEPLOYMENTS, "metallb-system", "metallb-controller")
    world.pass_time()
    assert address(world.get(SERVICES, "a")) == "203.0.113.0"
