"""What the adapter asks of a scripted API server, and what it makes of the answers."""

from __future__ import annotations

from typing import Any

import pytest

from roles.istio.role import IstioRole
from rollout.adapters.kube.cluster import KubeCluster
from rollout.engine.ports import Cluster
from rollout.errors import StepFailed
from rollout.model.observed import AgentState, NodeState, ProxyState
from rollout.model.role import AgentKind
from rollout.model.site import Site
from tests.unit.adapter_kube.objects import EXCLUDE, POD, node, ours, pod
from tests.unit.kubeapi import FakeApi


def test_it_fits_the_engines_protocol_and_tells_the_servers_version(
    api: FakeApi, cluster: KubeCluster
) -> None:
    api.on("GET /version", {"gitVersion": "v1.35.8", "major": "1"})
    fits: Cluster = cluster
    assert fits.version() == "v1.35.8"


def test_a_node_is_told_with_its_marks_and_the_run_that_owns_them(api: FakeApi, cluster: KubeCluster) -> None:
    marked = node(
        "r1n2",
        metadata={"labels": {EXCLUDE: "x"}, "annotations": ours("cordon", "exclude")},
        spec={"unschedulable": True},
        status={"conditions": [{"type": "Ready", "status": "Unknown"}]},
    )
    api.on("GET /api/v1/nodes", {"items": [marked, node("r1n1", metadata={"annotations": None})]})
    assert cluster.nodes() == (
        NodeState("r1n1", ready=True, cordoned=False, excluded=False, owner=None),
        NodeState("r1n2", ready=False, cordoned=True, excluded=True, owner="run-1"),
    )


def test_a_gateway_pod_and_a_sidecar_are_told_apart_and_versioned_by_their_image(
    api: FakeApi, cluster: KubeCluster
) -> None:
    labels = {"labels": {"app": "istio-ingress", "istio": "ingress"}}
    gateway = pod("gw-1", "istio-ingress", "docker.io/istio/proxyv2:1.30.3", metadata=labels)
    sidecar = pod("cart", "shop", "reg.example:5000/proxyv2:1.31.1-distroless@sha256:ab", ready="False")
    plain = pod("db", "shop", "x")
    plain["spec"]["containers"][0]["name"] = "postgres"
    api.on("GET /api/v1/pods", {"items": [sidecar, plain, gateway]})
    assert cluster.proxies() == (
        ProxyState("gw-1", "istio-ingress", "r1n1", "istio", "1.30.3", "istio-ingress", True, False),
        ProxyState("cart", "shop", "r1n1", "istio", "1.31.1", None, False, False),
    )


def test_a_native_sidecar_is_an_init_container_and_still_a_proxy(api: FakeApi, cluster: KubeCluster) -> None:
    proxy = {"name": "istio-proxy", "image": "docker.io/istio/proxyv2:1.31.1"}
    native = pod("cart", "shop", "x", spec={"containers": [{"name": "app"}], "initContainers": [proxy]})
    api.on("GET /api/v1/pods", {"items": [native]})
    assert [state.version for state in cluster.proxies()] == ["1.31.1"]


def test_a_pod_that_is_leaving_is_terminating_and_one_that_is_over_is_no_proxy(
    api: FakeApi, cluster: KubeCluster
) -> None:
    leaving = pod("a", "shop", "i:1.30.3", metadata={"deletionTimestamp": "2026-11-23T00:00:00Z"}, node=None)
    over = pod("b", "shop", "i:1.30.3", phase="Failed")
    api.on("GET /api/v1/pods", {"items": [leaving, over]})
    assert [(s.pod, s.node, s.terminating) for s in cluster.proxies()] == [("a", None, True)]


def test_an_image_that_admission_never_set_has_no_known_version(api: FakeApi, cluster: KubeCluster) -> None:
    api.on("GET /api/v1/pods", {"items": [pod("a", "shop", "auto"), pod("b", "shop", "reg:5000/proxyv2")]})
    assert {state.version for state in cluster.proxies()} == {"unknown"}


def test_agents_are_found_by_their_roles_labels_and_kubelets_by_their_nodes(
    api: FakeApi, cluster: KubeCluster
) -> None:
    speaker = pod("speaker-x", "metallb-system", "", ready="False", metadata={"labels": {}})
    speaker["spec"]["containers"] = [{"name": "speaker", "image": "quay.io/metallb/speaker:v0.16.1"}]
    istiod = pod("istiod-1", "istio-system", "", metadata={"labels": {"istio.io/rev": "1-31"}})
    istiod["spec"]["containers"] = [{"name": "discovery", "image": "docker.io/istio/pilot:1.31.1"}]
    over = pod("istiod-0", "istio-system", "", phase="Succeeded")
    api.on("GET /api/v1/namespaces/metallb-system/pods", {"items": []}, {"items": [speaker]})
    api.on("GET /api/v1/namespaces/istio-system/pods", {"items": [istiod, over]})
    server = pod("kube-apiserver-cp1", "kube-system", "", node="cp1")
    server["spec"]["containers"] = [
        {"name": "kube-apiserver", "image": "registry.k8s.io/kube-apiserver:v1.35.4"}
    ]
    api.on("GET /api/v1/namespaces/kube-system/pods", {"items": [server]})
    kubelet = node(status={"nodeInfo": {"kubeletVersion": "v1.35.4"}})
    api.on("GET /api/v1/nodes", {"items": [kubelet]})
    assert cluster.agents() == (
        AgentState(
            "istio", "istiod", "istio-system", "istiod-1", "r1n1", "1.31.1", True, False, revision="1-31"
        ),
        AgentState(
            "kubernetes", "apiserver", "kube-system", "kube-apiserver-cp1", "cp1", "1.35.4", True, False
        ),
        AgentState("kubernetes", "kubelet", "", "r1n1", "r1n1", "1.35.4", False, False),
        AgentState("metallb", "speaker", "metallb-system", "speaker-x", "r1n1", "0.16.1", False, False),
    )
    asked = [a.query["labelSelector"] for a in api.sent("GET") if "metallb-system" in a.path]
    assert asked == ["app.kubernetes.io/component=controller", "app.kubernetes.io/component=speaker"]
    assert cluster.nodes()[0].kubelet == "v1.35.4"
    before = len(api.asked)
    assert [a.pod for a in cluster.agents(subject="istio")] == ["istiod-1"]
    assert [asked.path for asked in api.asked[before:]] == ["/api/v1/namespaces/istio-system/pods"]


def test_an_agent_whose_container_is_named_like_a_sidecar_is_no_proxy(
    api: FakeApi, site: Site, cluster: KubeCluster
) -> None:
    class Ambient(IstioRole):
        def agents(self) -> tuple[AgentKind, ...]:
            return (AgentKind("ztunnel", "istio-system", (("app", "ztunnel"),), "istio-proxy"),)

    ztunnel = pod("ztunnel-1", "istio-system", "i:1.31.1", metadata={"labels": {"app": "ztunnel", "x": "y"}})
    api.on("GET /api/v1/pods", {"items": [ztunnel]})
    assert [state.pod for state in cluster.proxies()] == ["ztunnel-1"]
    assert KubeCluster(site, {"istio": Ambient(site, site.mesh("istio"))}).proxies() == ()


def test_a_drain_evicts_what_no_daemonset_and_no_kubelet_would_bring_back(
    api: FakeApi, cluster: KubeCluster
) -> None:
    def owned(name: str, kind: str, **changes: Any) -> dict[str, Any]:
        return pod(
            name,
            "shop",
            "x",
            metadata={"ownerReferences": [{"kind": kind, "controller": True, "name": "o"}]},
            **changes,
        )

    mirror = pod("etcd", "kube-system", "x", metadata={"annotations": {"kubernetes.io/config.mirror": "h"}})
    items = [
        owned("cart", "ReplicaSet"),
        owned("speaker", "DaemonSet"),
        mirror,
        pod("bare", "shop", "x", metadata={"deletionTimestamp": "2026-11-23T10:00:00Z"}),
        owned("job", "Job", phase="Succeeded"),
    ]
    api.on("GET /api/v1/pods", {"items": items})
    assert cluster.evictable("r1n1") == {("shop", "bare"): True, ("shop", "cart"): False}
    assert api.asked[-1].query == {"fieldSelector": "spec.nodeName=r1n1"}


def test_a_partition_is_set_and_the_strategy_with_it(api: FakeApi, cluster: KubeCluster) -> None:
    api.on("PATCH /apis/apps/v1/namespaces/consul/statefulsets/consul-server", {})
    cluster.set_partition("consul", "consul-server", 2)
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"partition": 2}}
    (sent,) = api.sent("PATCH")
    assert sent.body == {"spec": {"updateStrategy": strategy}}
    with pytest.raises(StepFailed, match="cannot set the partition of StatefulSet consul/other"):
        cluster.set_partition("consul", "other", 2)


def test_a_pod_without_a_mesh_proxy_has_no_health_to_fail(api: FakeApi, cluster: KubeCluster) -> None:
    plain = pod("cart", "shop", "x")
    plain["spec"]["containers"] = [{"name": "app", "image": "x"}]
    api.on(f"GET {POD}", plain)
    cluster.fail_gateway_health("shop", "cart")
    cluster.pass_gateway_health("shop", "cart")
    assert [asked.method for asked in api.asked] == ["GET", "GET"]


def test_only_ready_endpoints_that_do_not_terminate_serve(
    api: FakeApi, cluster: KubeCluster, site: Site
) -> None:
    def endpoint(name: str, **conditions: bool | None) -> dict[str, Any]:
        return {"nodeName": name, "conditions": conditions}

    path = "/apis/discovery.k8s.io/v1/namespaces/istio-ingress/endpointslices"
    one = {"endpoints": [endpoint("r1n1", ready=True, serving=True, terminating=False)]}
    two = {
        "endpoints": [
            endpoint("r1n2", ready=False, serving=True, terminating=True),
            endpoint("r2n1", ready=True),
            endpoint("r2n2", ready=None),
        ]
    }
    api.on(f"GET {path}", {"items": [one, two, {"endpoints": None}]})
    assert cluster.ready_gateway_nodes(site.gateway("istio-ingress")) == {"r1n1", "r2n1"}
    assert api.asked[-1].query == {"labelSelector": "kubernetes.io/service-name=istio-ingress"}
