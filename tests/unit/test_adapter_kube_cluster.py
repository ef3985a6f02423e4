"""The Kubernetes adapter against a scripted API server: what it asks, and what it makes of the answers."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from roles.istio.role import IstioRole
from rollout.adapters.kube.cluster import KubeCluster
from rollout.cli.world import roles_of
from rollout.engine.ports import Cluster
from rollout.errors import StepFailed, Unreachable
from rollout.model.observed import AgentState, NodeState, ProxyState
from rollout.model.role import AgentKind
from rollout.model.site import Site
from rollout.site.load import load_site
from tests.unit.kubeapi import Answer, FakeApi, fake_api, status

LAB = Path(__file__).resolve().parents[2] / "inventory" / "lab"
EXCLUDE = "node.kubernetes.io/exclude-from-external-load-balancers"
NODE = "/api/v1/nodes/r1n1"
POD = "/api/v1/namespaces/shop/pods/cart"


@pytest.fixture
def api() -> Iterator[FakeApi]:
    with fake_api() as api:
        yield api


@pytest.fixture
def site(api: FakeApi, tmp_path: Path) -> Site:
    return replace(load_site(LAB), kubernetes=api.kubernetes(tmp_path))


@pytest.fixture
def cluster(site: Site) -> KubeCluster:
    return KubeCluster(site, roles_of(site))


def node(name: str = "r1n1", **changes: Any) -> dict[str, Any]:
    meta = {"name": name, "resourceVersion": "7", **changes.pop("metadata", {})}
    ready = {"conditions": [{"type": "Ready", "status": "True"}]}
    return {"metadata": meta, "spec": changes.pop("spec", {}), "status": changes.pop("status", ready)}


def ours(*marks: str, run: str = "run-1") -> dict[str, str]:
    return {"rackroll.io/run": run, "rackroll.io/marks": ",".join(marks)}


def pod(name: str, namespace: str, image: str, **changes: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "namespace": namespace, **changes.pop("metadata", {})},
        "spec": {
            "nodeName": changes.pop("node", "r1n1"),
            "containers": [{"name": "istio-proxy", "image": image}],
            **changes.pop("spec", {}),
        },
        "status": {
            "phase": changes.pop("phase", "Running"),
            "conditions": [{"type": "Ready", "status": changes.pop("ready", "True")}],
        },
    }


# ---------------------------------------------------------------- reading


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
        pod("bare", "shop", "x"),
        owned("job", "Job", phase="Succeeded"),
    ]
    api.on("GET /api/v1/pods", {"items": items})
    assert cluster.evictable("r1n1") == (("shop", "bare"), ("shop", "cart"))
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


# ---------------------------------------------------------------- deployments

DEPLOYMENT = "GET /apis/apps/v1/namespaces/istio-system/deployments/istiod"


def deployment(**counts: int) -> dict[str, Any]:
    names = {"updated": "updatedReplicas", "ready": "readyReplicas", "available": "availableReplicas"}
    found = {"observedGeneration": counts.pop("observed", 2), "replicas": counts.pop("replicas", 2)}
    return {
        "metadata": {"name": "istiod", "namespace": "istio-system", "generation": 2},
        "spec": {"replicas": 2},
        "status": found | {names[key]: value for key, value in counts.items()},
    }


@pytest.mark.parametrize(
    ("found", "ready", "words"),
    [
        (deployment(updated=2, ready=2, available=2), True, "2 of 2 replicas are ready"),
        (deployment(updated=2, ready=1, available=1), False, "1 of 2 replicas are ready"),
        (deployment(updated=1, ready=2, available=2), False, "1 of 2 replicas are of the newest"),
        (deployment(updated=2, ready=2, available=2, replicas=3), False, "of the newest template"),
        (deployment(updated=2, ready=2, available=2, observed=1), False, "not seen by its controller"),
    ],
)
def test_a_deployment_is_ready_when_every_replica_is_of_the_newest_template(
    api: FakeApi, cluster: KubeCluster, found: dict[str, Any], ready: bool, words: str
) -> None:
    api.on(DEPLOYMENT, found)
    answer, detail = cluster.deployment_ready("istio-system", "istiod")
    assert (answer, words in detail) == (ready, True)


def test_a_deployment_that_is_not_there_is_not_ready(cluster: KubeCluster) -> None:
    assert cluster.deployment_ready("istio-system", "istiod") == (
        False,
        "there is no Deployment istio-system/istiod",
    )


# ---------------------------------------------------------------- applying

APPS = {"resources": [{"name": "daemonsets", "kind": "DaemonSet", "namespaced": True}]}
CORE = {
    "resources": [
        {"name": "nodes/status", "kind": "Node", "namespaced": False},
        {"name": "nodes", "kind": "Node", "namespaced": False},
    ]
}
DAEMONSET = {
    "apiVersion": "apps/v1",
    "kind": "DaemonSet",
    "metadata": {"name": "gw", "namespace": "edge"},
    "spec": {"updateStrategy": {"type": "OnDelete"}},
}
LABELS = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "r1n1", "labels": {"a": "b"}}}


def test_objects_are_applied_server_side_as_rackroll_and_never_by_force(
    api: FakeApi, cluster: KubeCluster
) -> None:
    path = "/apis/apps/v1/namespaces/edge/daemonsets/gw"
    api.on("GET /apis/apps/v1", APPS)
    api.on(f"PATCH {path}", DAEMONSET)
    cluster.apply([DAEMONSET, DAEMONSET])
    first, _ = api.sent("PATCH")
    assert first.path == path
    assert first.query == {"fieldManager": "rackroll", "force": "false"}
    assert first.content_type == "application/apply-patch+yaml"
    assert first.body == DAEMONSET
    assert len(api.sent("GET")) == 1, "the kinds of a group are asked for once"


def test_a_field_of_another_manager_is_a_conflict_told_in_the_apis_words(
    api: FakeApi, cluster: KubeCluster
) -> None:
    api.on("GET /apis/apps/v1", APPS)
    words = 'Apply failed with 1 conflict: conflict with "helm": .spec.updateStrategy'
    api.on("PATCH /apis/apps/v1/namespaces/edge/daemonsets/gw", status(409, "Conflict", words))
    with pytest.raises(StepFailed, match='conflict with "helm"') as caught:
        cluster.apply([DAEMONSET])
    assert "who owns this field" in caught.value.hint


@pytest.mark.parametrize("using", ["apps/v1", "apps/v1 at 2026-11-28T11:12:50Z"])
def test_a_default_that_helm_3_owns_for_having_created_the_object_is_taken(
    api: FakeApi, cluster: KubeCluster, using: str
) -> None:
    """The words of kube-apiserver 1.35 for a DaemonSet of a chart that says no update strategy."""
    api.on("GET /apis/apps/v1", APPS)
    words = f'Apply failed with 1 conflict: conflict with "helm" using {using}: .spec.updateStrategy.type'
    path = "/apis/apps/v1/namespaces/edge/daemonsets/gw"
    api.on(f"PATCH {path}", status(409, "Conflict", words), Answer(DAEMONSET))
    cluster.apply([DAEMONSET])
    assert [asked.query["force"] for asked in api.sent("PATCH")] == ["false", "true"]


@pytest.mark.parametrize(
    "words",
    [
        'Apply failed with 1 conflict: conflict with "kubectl-edit" using apps/v1: .spec.updateStrategy.type',
        'Apply failed with 1 conflict: conflict with "helm" using apps/v1: .spec.template.spec.nodeSelector',
        'Apply failed with 2 conflicts: conflicts with "helm" using apps/v1:\n- .spec.updateStrategy.type\n- .spec.x',
    ],
)
def test_nothing_else_is_taken_by_force(api: FakeApi, cluster: KubeCluster, words: str) -> None:
    api.on("GET /apis/apps/v1", APPS)
    api.on("PATCH /apis/apps/v1/namespaces/edge/daemonsets/gw", status(409, "Conflict", words))
    with pytest.raises(StepFailed, match="conflict"):
        cluster.apply([DAEMONSET])
    assert [asked.query["force"] for asked in api.sent("PATCH")] == ["false"]


def test_a_node_that_has_not_joined_is_never_created(api: FakeApi, cluster: KubeCluster) -> None:
    api.on("GET /api/v1", CORE)
    with pytest.raises(StepFailed, match="cannot label Node r1n1") as caught:
        cluster.apply([LABELS])
    assert "never created by us" in caught.value.hint
    assert api.sent("PATCH") == []


def test_labels_go_to_the_node_itself_not_to_its_status(api: FakeApi, cluster: KubeCluster) -> None:
    api.on("GET /api/v1", CORE)
    api.on(f"GET {NODE}", node())
    api.on(f"PATCH {NODE}", node())
    cluster.apply([LABELS])
    assert [asked.path for asked in api.sent("PATCH")] == [NODE]


def test_a_kind_that_a_chart_just_brought_is_waited_for(api: FakeApi, cluster: KubeCluster) -> None:
    crds = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    crd: dict[str, Any] = {
        "metadata": {"name": "ipaddresspools.metallb.io", "uid": "1"},
        "spec": {"group": "metallb.io", "names": {"kind": "IPAddressPool"}},
    }
    up = crd | {"status": {"conditions": [{"type": "Established", "status": "True"}]}}
    pools = {"resources": [{"name": "ipaddresspools", "kind": "IPAddressPool", "namespaced": True}]}
    api.on("GET /apis/metallb.io/v1beta1", status(404, "NotFound", "no"), pools)
    api.on(f"GET {crds}", {"items": [crd], "metadata": {"resourceVersion": "5"}})
    api.on(f"WATCH {crds}", [{"type": "MODIFIED", "object": up}])
    path = "/apis/metallb.io/v1beta1/namespaces/metallb-system/ipaddresspools/gateways"
    api.on(f"PATCH {path}", {})
    meta = {"name": "gateways", "namespace": "metallb-system"}
    cluster.apply([{"apiVersion": "metallb.io/v1beta1", "kind": "IPAddressPool", "metadata": meta}])
    assert [asked.path for asked in api.sent("PATCH")] == [path]


def test_a_kind_that_nobody_brings_is_named(api: FakeApi, cluster: KubeCluster) -> None:
    api.on("GET /api/v1", CORE)
    with pytest.raises(StepFailed, match="serves no Nodule of v1"):
        cluster.apply([{"apiVersion": "v1", "kind": "Nodule", "metadata": {"name": "x"}}])


# ---------------------------------------------------------------- marks


def test_a_cordon_carries_our_name_in_the_same_patch_at_the_version_that_was_read(
    api: FakeApi, cluster: KubeCluster
) -> None:
    api.on(f"GET {NODE}", node())
    api.on(f"PATCH {NODE}", node())
    cluster.cordon("r1n1", "run-1")
    (patch,) = api.sent("PATCH")
    assert patch.content_type == "application/merge-patch+json"
    assert patch.body == {
        "metadata": {"resourceVersion": "7", "annotations": ours("cordon")},
        "spec": {"unschedulable": True},
    }


def test_excluding_a_node_that_we_cordoned_adds_to_what_we_own(api: FakeApi, cluster: KubeCluster) -> None:
    api.on(f"GET {NODE}", node(metadata={"annotations": ours("cordon")}, spec={"unschedulable": True}))
    api.on(f"PATCH {NODE}", node())
    cluster.exclude("r1n1", "run-1")
    metadata = api.sent("PATCH")[0].body["metadata"]
    assert metadata["labels"] == {EXCLUDE: ""}
    assert metadata["annotations"] == ours("cordon", "exclude")


def test_uncordoning_keeps_our_name_while_we_still_exclude(api: FakeApi, cluster: KubeCluster) -> None:
    annotations = ours("cordon", "exclude")
    found = node(metadata={"labels": {EXCLUDE: ""}, "annotations": annotations}, spec={"unschedulable": True})
    api.on(f"GET {NODE}", found)
    api.on(f"PATCH {NODE}", node())
    cluster.uncordon("r1n1", "run-1")
    assert api.sent("PATCH")[0].body == {
        "metadata": {"resourceVersion": "7", "annotations": ours("exclude")},
        "spec": {"unschedulable": None},
    }


def test_including_a_node_takes_our_name_off_with_the_last_mark(api: FakeApi, cluster: KubeCluster) -> None:
    api.on(f"GET {NODE}", node(metadata={"labels": {EXCLUDE: ""}, "annotations": ours("exclude")}))
    api.on(f"PATCH {NODE}", node())
    cluster.include("r1n1", "run-1")
    assert api.sent("PATCH")[0].body["metadata"] == {
        "resourceVersion": "7",
        "annotations": {"rackroll.io/run": None, "rackroll.io/marks": None},
        "labels": {EXCLUDE: None},
    }


def test_marks_that_are_already_as_wanted_are_not_written_again(api: FakeApi, cluster: KubeCluster) -> None:
    found = node(metadata={"annotations": ours("cordon")}, spec={"unschedulable": True})
    api.on(f"GET {NODE}", found)
    cluster.cordon("r1n1", "run-1")
    api.on(f"GET {NODE}", node())
    cluster.uncordon("r1n1", "run-1")
    cluster.include("r1n1", "run-1")
    assert api.sent("PATCH") == []


def test_a_node_that_someone_else_cordoned_stops_the_run_and_says_who(
    api: FakeApi, cluster: KubeCluster
) -> None:
    fields: dict[str, Any] = {"f:spec": {"f:unschedulable": {}}}
    managed = [{"manager": "kubectl-cordon", "time": "2026-11-23T04:00:00Z", "fieldsV1": fields}]
    api.on(f"GET {NODE}", node(metadata={"managedFields": managed}, spec={"unschedulable": True}))
    with pytest.raises(StepFailed, match=r"cordoned by someone else \(by kubectl-cordon at 2026") as caught:
        cluster.cordon("r1n1", "run-1")
    assert "kubectl uncordon r1n1" in caught.value.hint


def test_a_foreign_cordon_does_not_become_ours_by_excluding_the_node(
    api: FakeApi, cluster: KubeCluster
) -> None:
    annotations = ours("exclude")
    api.on(f"GET {NODE}", node(metadata={"annotations": annotations}, spec={"unschedulable": True}))
    for change in (cluster.cordon, cluster.uncordon):
        with pytest.raises(StepFailed, match="cordoned by someone else"):
            change("r1n1", "run-1")
    assert api.sent("PATCH") == []


def test_what_another_run_holds_is_left_to_it(api: FakeApi, cluster: KubeCluster) -> None:
    held = {"labels": {EXCLUDE: ""}, "annotations": ours("cordon", "exclude", run="run-0")}
    api.on(f"GET {NODE}", node(metadata=held, spec={"unschedulable": True}))
    for change in (cluster.cordon, cluster.uncordon, cluster.exclude, cluster.include):
        with pytest.raises(StepFailed, match="held by another run, run-0"):
            change("r1n1", "run-1")
    assert api.sent("PATCH") == []


def test_a_write_that_came_between_is_read_again(api: FakeApi, cluster: KubeCluster) -> None:
    api.on(f"GET {NODE}", node(), node(metadata={"resourceVersion": "8"}))
    api.on(f"PATCH {NODE}", status(409, "Conflict", "the object has been modified"), node())
    cluster.cordon("r1n1", "run-1")
    assert [p.body["metadata"]["resourceVersion"] for p in api.sent("PATCH")] == ["7", "8"]


def test_a_node_that_is_not_in_the_cluster_is_named(cluster: KubeCluster) -> None:
    with pytest.raises(StepFailed, match=r"cannot read node r1n1.*404"):
        cluster.cordon("r1n1", "run-1")


# ---------------------------------------------------------------- pods


@pytest.mark.parametrize(
    ("answer", "accepted"),
    [
        (Answer({"kind": "Status", "status": "Success"}, 201), True),
        (status(429, "TooManyRequests", "Cannot evict pod as it would violate the budget"), False),
        (status(404, "NotFound", "pods not found"), True),
    ],
    ids=["granted", "the budget says not yet", "already gone"],
)
def test_an_eviction_is_granted_held_back_or_not_needed(
    api: FakeApi, cluster: KubeCluster, answer: Answer, accepted: bool
) -> None:
    api.on(f"POST {POD}/eviction", answer)
    assert cluster.evict("shop", "cart") is accepted
    body = api.sent("POST")[0].body
    assert (body["apiVersion"], body["kind"]) == ("policy/v1", "Eviction")


def test_an_eviction_that_the_api_refuses_is_a_failed_step(api: FakeApi, cluster: KubeCluster) -> None:
    """A 500 without a reason, as kube-apiserver 1.34 to 1.36 answer; what its store says has the same form."""
    words = "This pod has more than one PodDisruptionBudget"
    api.on(f"POST {POD}/eviction", status(500, "", words))
    with pytest.raises(StepFailed, match="more than one PodDisruptionBudget"):
        cluster.evict("shop", "cart")
    api.on(f"POST {POD}/eviction", status(500, "", "etcdserver: request timed out"))
    with pytest.raises(Unreachable, match="request timed out"):
        cluster.evict("shop", "cart")


def test_deleting_a_pod_that_is_gone_is_done(api: FakeApi, cluster: KubeCluster) -> None:
    cluster.delete_pod("shop", "cart")
    api.on(f"DELETE {POD}", status(403, "Forbidden", "you may not"))
    with pytest.raises(StepFailed, match="you may not"):
        cluster.delete_pod("shop", "cart")


# ---------------------------------------------------------------- when there is no answer


def test_no_server_is_unreachable_and_says_where(site: Site, api: FakeApi) -> None:
    lost = replace(site, kubernetes=replace(api, port=1).kubernetes(site.kubernetes.kubeconfig.parent))
    with pytest.raises(Unreachable, match=r"does not answer.*refused") as caught:
        KubeCluster(lost).nodes()
    assert "127.0.0.1:1" in caught.value.where


@pytest.mark.parametrize("cause", ["no endpoints available for service", "x509: unknown authority"])
def test_a_webhook_that_does_not_answer_is_not_yet_and_no_refusal(
    api: FakeApi, cluster: KubeCluster, cause: str
) -> None:
    """The words of kube-apiserver 1.35 for MetalLB's pools right after its chart."""
    api.on("GET /apis/apps/v1", APPS)
    words = (
        f'Internal error occurred: failed calling webhook "pools.metallb.io": failed to call webhook: {cause}'
    )
    path = "/apis/apps/v1/namespaces/edge/daemonsets/gw"
    api.on(f"PATCH {path}", *[status(500, "InternalError", words)] * 4)
    with pytest.raises(Unreachable, match=r"cannot ask a webhook: .*pools\.metallb\.io") as caught:
        cluster.apply([DAEMONSET])
    assert "behind the service" in caught.value.hint


def test_a_webhook_that_denies_is_a_refusal(api: FakeApi, cluster: KubeCluster) -> None:
    api.on("GET /apis/apps/v1", APPS)
    words = 'admission webhook "pools.metallb.io" denied the request: the prefixes overlap'
    api.on("PATCH /apis/apps/v1/namespaces/edge/daemonsets/gw", status(400, "BadRequest", words))
    with pytest.raises(StepFailed, match="denied the request"):
        cluster.apply([DAEMONSET])


def test_refused_credentials_are_unreachable_with_what_to_renew(
    site: Site, api: FakeApi, tmp_path: Path
) -> None:
    stale = replace(site, kubernetes=api.kubernetes(tmp_path, token="old"))  # noqa: S106
    with pytest.raises(Unreachable, match="refuses our credentials") as caught:
        KubeCluster(stale).nodes()
    assert "kubeconfig" in caught.value.hint


@pytest.mark.parametrize("text", ["", "]", "just: text", "clusters: 3"])
def test_a_kubeconfig_that_is_none_is_an_error_of_ours(site: Site, text: str) -> None:
    site.kubernetes.kubeconfig.write_text(text)
    with pytest.raises(Unreachable, match="kubeconfig cannot be used") as caught:
        KubeCluster(site).nodes()
    assert caught.value.where == str(site.kubernetes.kubeconfig)


def test_a_missing_kubeconfig_and_an_unknown_context_are_errors_of_ours(site: Site) -> None:
    with pytest.raises(Unreachable, match="kubeconfig cannot be used"):
        KubeCluster(replace(site, kubernetes=replace(site.kubernetes, context="nowhere"))).nodes()
    site.kubernetes.kubeconfig.unlink()
    cluster = KubeCluster(site)
    with pytest.raises(Unreachable, match="kubeconfig cannot be used"):
        cluster.nodes()


@pytest.mark.parametrize(
    "answer",
    [Answer(b"<html>proxy</html>"), Answer(b"upstream gone", 502), Answer({"items": [{"metadata": {}}]})],
    ids=["a web page", "a proxy's error", "an object without a name"],
)
def test_an_answer_that_is_no_kubernetes_is_unreachable(
    api: FakeApi, cluster: KubeCluster, answer: Answer
) -> None:
    api.on("GET /api/v1/nodes", answer)
    with pytest.raises(Unreachable):
        cluster.nodes()


def test_an_api_that_says_no_fails_in_its_own_words(api: FakeApi, cluster: KubeCluster) -> None:
    words = 'nodes is forbidden: User "me" cannot list resource "nodes"'
    api.on("GET /api/v1/nodes", status(403, "Forbidden", words))
    with pytest.raises(StepFailed, match=f"{words}.*HTTP 403, Forbidden"):
        cluster.nodes()


def test_two_threads_get_their_own_answers(api: FakeApi, cluster: KubeCluster) -> None:
    """The executor's and the sampler's: neither may see what the other asked."""
    api.on("GET /version", {"gitVersion": "v1.35.8"})
    api.on("GET /api/v1/nodes", {"items": [node("r1n1")]})

    def ask(number: int) -> object:
        return cluster.version() if number % 2 else cluster.nodes()[0].name

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(ask, range(80)))
    assert answers == ["r1n1", "v1.35.8"] * 40
