"""What is applied goes server-side, as rackroll, and by force for one reason only."""

from __future__ import annotations

from typing import Any

import pytest

from rollout.adapters.kube.cluster import KubeCluster
from rollout.errors import StepFailed
from tests.unit.adapter_kube.objects import APPS, DAEMONSET, NODE, node
from tests.unit.kubeapi import Answer, FakeApi, status

CORE = {
    "resources": [
        {"name": "nodes/status", "kind": "Node", "namespaced": False},
        {"name": "nodes", "kind": "Node", "namespaced": False},
    ]
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
    assert [asked.path for asked in api.sent("GET")] == ["/apis/apps/v1", path, path], (
        "kinds are asked for once"
    )


def test_how_many_were_new_is_told_by_what_is_in_them_and_not_by_their_version(
    api: FakeApi, cluster: KubeCluster
) -> None:
    """A kubelet writes its Node's status all the time; an apply that changes nothing is not a change."""
    labelled = node(metadata={"labels": {"a": "b"}})
    beat = node(metadata={"labels": {"a": "b"}, "resourceVersion": "8"}, status={"conditions": []})
    api.on("GET /api/v1", CORE)
    api.on(f"GET {NODE}", node(), labelled)
    api.on(f"PATCH {NODE}", labelled, beat)
    assert cluster.apply([LABELS]) == 1
    assert cluster.apply([LABELS]) == 0


def test_an_object_that_was_not_there_is_new_and_one_that_may_not_be_read_is_no_guess(
    api: FakeApi, cluster: KubeCluster
) -> None:
    path = "/apis/apps/v1/namespaces/edge/daemonsets/gw"
    api.on("GET /apis/apps/v1", APPS)
    api.on(f"PATCH {path}", DAEMONSET)
    assert cluster.apply([DAEMONSET]) == 1
    api.on(f"GET {path}", *[status(403, "Forbidden", 'cannot get resource "daemonsets"')] * 4)
    with pytest.raises(StepFailed, match="cannot read DaemonSet gw"):
        cluster.apply([DAEMONSET])
    assert len(api.sent("PATCH")) == 1


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
