"""Evictions, deletions, and when a Deployment is ready."""

from __future__ import annotations

from typing import Any

import pytest

from rollout.adapters.kube.cluster import KubeCluster
from rollout.errors import StepFailed, Unreachable
from tests.unit.adapter_kube.objects import POD
from tests.unit.kubeapi import Answer, FakeApi, status

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
