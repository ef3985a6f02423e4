"""Pods, budgets and images as the API tells them, and that our arithmetic is the eviction API's."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from lab.kube.controllers.budgets import check_eviction
from lab.kube.errors import TooManyRequests
from lab.kube.resource import DEPLOYMENTS
from lab.kube.resource import PDBS as PDBS_OF_THE_LAB
from lab.kube.resource import PODS as PODS_OF_THE_LAB
from rollout.adapters.kube.workloads import KubeWorkloads
from rollout.checks.catalogue import catalogue
from rollout.checks.facts import Facts
from rollout.cli.world import roles_of
from rollout.engine.ports import Workloads
from rollout.errors import StepFailed, Unreachable
from rollout.model.gate import Verdict
from rollout.model.site import Site
from rollout.model.workload import Budget, PodState, Requirement, Selector
from rollout.site.load import load_site
from tests.unit.kube_world import World, workload
from tests.unit.kubeapi import FakeApi, status

LAB = Path(__file__).resolve().parents[3] / "inventory" / "lab"
PODS = "GET /api/v1/pods"
PDBS = "GET /apis/policy/v1/poddisruptionbudgets"


@pytest.fixture
def workloads(site: Site) -> KubeWorkloads:
    return KubeWorkloads(site, roles_of(site))


def pod(name: str, *images: str, phase: str = "Running", spec: Any = None, **meta: Any) -> dict[str, Any]:
    containers = [{"name": f"c{n}", "image": image} for n, image in enumerate(images)]
    return {
        "metadata": {"name": name, "namespace": "shop", **meta},
        "spec": {"nodeName": "r1n1", "containers": containers, **(spec or {})},
        "status": {"phase": phase, "conditions": [{"type": "Ready", "status": "True"}]},
    }


def owned(kind: str) -> list[dict[str, Any]]:
    return [{"apiVersion": "apps/v1", "kind": kind, "name": "x", "uid": "1", "controller": True}]


def test_the_adapter_is_what_the_engine_asks_for(workloads: KubeWorkloads) -> None:
    port: Workloads = workloads
    assert port is workloads


def test_a_pod_is_what_a_drain_would_meet(api: FakeApi, workloads: KubeWorkloads) -> None:
    sidecar = {
        "initContainers": [
            {"name": "istio-proxy", "image": "istio/proxyv2:1.30.3", "restartPolicy": "Always"}
        ]
    }
    api.on(PODS, {"items": [pod("cart", "shop/cart:7", spec=sidecar, labels={"app": "cart"})]})
    assert workloads.pods("r1n1") == (
        PodState(
            "shop",
            "cart",
            "r1n1",
            {"app": "cart"},
            images=("shop/cart:7", "istio/proxyv2:1.30.3"),
            proxy=("istio", "1.30.3"),
        ),
    )
    assert api.asked[-1].query == {"fieldSelector": "spec.nodeName=r1n1"}


def test_finished_pods_are_gone_and_daemons_and_mirrors_stay(api: FakeApi, workloads: KubeWorkloads) -> None:
    mirror: dict[str, Any] = {"annotations": {"kubernetes.io/config.mirror": "x"}}
    api.on(
        PODS,
        {
            "items": [
                pod("done", phase="Succeeded"),
                pod("daemon", ownerReferences=owned("DaemonSet")),
                pod("replica", ownerReferences=owned("ReplicaSet")),
                pod("static", **mirror),
            ]
        },
    )
    assert {p.name: p.evictable for p in workloads.pods()} == {
        "daemon": False,
        "replica": True,
        "static": False,
    }


@pytest.mark.parametrize(
    ("meta", "spec", "asked"),
    [
        ({}, {}, None),
        ({"labels": {"sidecar.istio.io/inject": "false"}}, {}, False),
        ({"annotations": {"linkerd.io/inject": "enabled"}}, {}, True),
        ({"annotations": {"linkerd.io/inject": "disabled"}}, {}, False),
        ({"annotations": {"consul.hashicorp.com/connect-inject": "true"}}, {}, True),
        ({"labels": {"sidecar.istio.io/inject": "true"}}, {"hostNetwork": True}, False),
    ],
)
def test_what_a_pod_says_about_injection(
    api: FakeApi, workloads: KubeWorkloads, meta: Any, spec: Any, asked: bool | None
) -> None:
    api.on(PODS, {"items": [pod("a", spec=spec, **meta)]})
    assert workloads.pods()[0].asked is asked


def pdb(name: str = "cart", **changes: Any) -> dict[str, Any]:
    counts = {"disruptionsAllowed": 1, "currentHealthy": 3, "desiredHealthy": 2, "expectedPods": 3}
    return {
        "metadata": {"name": name, "namespace": "shop", "generation": 2},
        "spec": {"selector": {"matchLabels": {"app": "cart"}}, **changes.pop("spec", {})},
        "status": {**counts, "observedGeneration": 2, **changes},
    }


def test_a_budget_with_its_counts_and_selector(api: FakeApi, workloads: KubeWorkloads) -> None:
    api.on(PDBS, {"items": [pdb()]})
    cart = Selector((Requirement("app", "In", ("cart",)),))
    assert workloads.budgets() == (Budget("shop", "cart", cart, 1, 3, 2, 3),)


def test_no_selector_matches_nothing_and_an_empty_one_everything(
    api: FakeApi, workloads: KubeWorkloads
) -> None:
    expression = {"matchExpressions": [{"key": "app", "operator": "Exists"}]}
    items = [
        pdb("none", spec={"selector": None}),
        pdb("every", spec={"selector": {}}),
        pdb("with-app", spec={"selector": expression}),
    ]
    api.on(PDBS, {"items": items})
    anything = PodState("shop", "a", "n", {"app": "x"})
    assert {b.name: b.covers(anything) for b in workloads.budgets()} == {
        "none": False,
        "every": True,
        "with-app": True,
    }


def test_a_budget_that_nobody_counted_yet_is_marked(api: FakeApi, workloads: KubeWorkloads) -> None:
    api.on(PDBS, {"items": [pdb(observedGeneration=1), {"metadata": {"name": "new", "namespace": "shop"}}]})
    assert [(b.name, b.seen) for b in workloads.budgets()] == [("cart", False), ("new", True)]


def test_images_are_spelled_as_pods_spell_them(api: FakeApi, workloads: KubeWorkloads) -> None:
    names = ["docker.io/library/nginx:1", "docker.io/library/nginx@sha256:00"]
    api.on(
        "GET /api/v1/nodes/r1n1", {"status": {"images": [{"names": names}, {"names": ["istio/proxyv2:1"]}]}}
    )
    found = workloads.images("r1n1")
    assert found.complete
    assert {"docker.io/library/nginx:1", "docker.io/istio/proxyv2:1"} <= found.names


@pytest.mark.parametrize(("count", "complete"), [(0, False), (49, True), (50, False), (51, True)])
def test_a_list_that_the_kubelet_cuts_is_not_complete(
    api: FakeApi, workloads: KubeWorkloads, count: int, complete: bool
) -> None:
    listed = [{"names": [f"a:{n}"]} for n in range(count)]
    api.on("GET /api/v1/nodes/r1n1", {"status": {"images": listed}})
    assert workloads.images("r1n1").complete is complete


def test_refusals_and_nonsense_are_errors_of_ours(api: FakeApi, workloads: KubeWorkloads) -> None:
    api.on(PDBS, status(403, "Forbidden", "no"))
    with pytest.raises(StepFailed, match="cannot list"):
        workloads.budgets()
    api.on(PODS, {"items": [{"metadata": {}}]})
    with pytest.raises(Unreachable, match="not as Kubernetes defines it"):
        workloads.pods()
    with pytest.raises(StepFailed, match="cannot read"):
        workloads.images("gone")


class _Served:
    """Just enough of an API to list what a simulated cluster holds."""

    where = "kubernetes"

    def __init__(self, world: World) -> None:
        self._world = world

    def text(self, path: str, query: Mapping[str, str]) -> bytes:
        del query
        resource = PDBS_OF_THE_LAB if path.endswith("poddisruptionbudgets") else PODS_OF_THE_LAB
        return json.dumps({"items": self._world.store.list(resource, "default")}).encode()


@pytest.mark.parametrize("replicas", [1, 2, 3])
@pytest.mark.parametrize(
    "spec",
    [
        {"minAvailable": 0},
        {"minAvailable": 1},
        {"minAvailable": 3},
        {"minAvailable": "50%"},
        {"minAvailable": "100%"},
        {"maxUnavailable": 0},
        {"maxUnavailable": 1},
        {"maxUnavailable": "40%"},
    ],
    ids=str,
)
def test_the_check_says_what_the_eviction_api_then_does(replicas: int, spec: dict[str, Any]) -> None:
    """Against the lab's API server, whose arithmetic is written down from upstream's disruption controller."""
    world = World()
    world.make(DEPLOYMENTS, workload("Deployment", "cart", replicas=replicas))
    body = {
        "metadata": {"name": "cart", "namespace": "default"},
        "spec": {"selector": {"matchLabels": {"app": "cart"}}, **spec},
    }
    world.make(PDBS_OF_THE_LAB, body)
    site = load_site(LAB)
    seen = KubeWorkloads(site, roles_of(site), _Served(world))  # type: ignore[arg-type]
    first = seen.pods()[0]
    facts = Facts("", first.node, (), (), leaving=(first,), budgets=seen.budgets())
    verdict = catalogue()["PDB-ALLOWS"].find(facts).verdict
    try:
        check_eviction(world.store, world.get(PODS_OF_THE_LAB, first.name))
    except TooManyRequests:
        assert verdict is Verdict.CLOSED
    else:
        assert verdict is Verdict.OPEN
