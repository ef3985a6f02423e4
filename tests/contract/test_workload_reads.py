"""What the product's checks read before a drain: pods, budgets and pulled images."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rollout.adapters.kube.cluster import KubeCluster
from rollout.adapters.kube.workloads import KubeWorkloads
from rollout.cli.world import roles_of
from rollout.errors import StepFailed
from rollout.model.site import Site
from rollout.site.load import load_site
from tests.contract.target import Api, Target, eventually
from tests.contract.test_custom import Widgets, widgets
from tests.contract.test_product import ROOT
from tests.contract.workloads import bare_pod, budgeted, running, unstuck

__all__ = ["widgets"]
pytestmark = pytest.mark.call("the product's reads and marks of nodes and pods")


@pytest.fixture(scope="module")
def site(target: Target) -> Site:
    lab = load_site(ROOT / "inventory/lab")
    return replace(lab, kubernetes=replace(lab.kubernetes, kubeconfig=target.kubeconfig, context=None))


@pytest.fixture(scope="module")
def workloads(site: Site) -> KubeWorkloads:
    return KubeWorkloads(site, roles_of(site))


@pytest.fixture(scope="module")
def cluster(site: Site) -> KubeCluster:
    return KubeCluster(site, roles_of(site))


def test_pods_are_read_by_node_with_what_a_drain_must_know(
    api: Api, workloads: KubeWorkloads, space: str
) -> None:
    path = running(api, space, bare_pod("going", grace=30, stuck="true"))
    running(api, space, bare_pod("bad", unready="true"))
    api.call("DELETE", path)
    mine = {pod.name: pod for pod in workloads.pods() if pod.namespace == space}
    told = {name: (pod.ready, pod.terminating, pod.pending) for name, pod in mine.items()}
    assert told == {"going": (True, True, False), "bad": (False, False, False)}
    node = mine["bad"].node
    assert node
    assert ("bad", node) in {(p.name, p.node) for p in workloads.pods(node) if p.namespace == space}
    unstuck(api, path)


def test_budgets_are_read_with_their_numbers(api: Api, workloads: KubeWorkloads, space: str) -> None:
    running(api, space, bare_pod("good"))
    running(api, space, bare_pod("bad", unready="true"))
    budgeted(api, space, minAvailable=1, unhealthyPodEvictionPolicy="AlwaysAllow")

    def mine() -> tuple[int, ...]:
        (found,) = (budget for budget in workloads.budgets() if budget.namespace == space)
        assert found.spare_unready
        assert found.seen
        return found.allowed, found.healthy, found.desired, found.expected

    eventually(lambda: mine() == (0, 1, 1, 2))


def test_a_node_that_lists_no_images_is_known_to_tell_nothing(
    cluster: KubeCluster, workloads: KubeWorkloads
) -> None:
    assert workloads.images(cluster.nodes()[0].name).complete is False


def test_a_kind_that_a_chart_just_brought_is_applied(
    api: Api, cluster: KubeCluster, widgets: Widgets
) -> None:
    body = widgets.body(size=3)
    body["metadata"]["namespace"] = widgets.space
    cluster.apply([body])
    assert api.get(f"{widgets.path()}/w")["metadata"]["managedFields"][0]["manager"] == "rackroll"
    body["spec"]["sise"] = 4
    with pytest.raises(StepFailed, match="field not declared in schema"):
        cluster.apply([body])


def test_a_label_is_applied_to_a_node_and_no_node_is_made(api: Api, cluster: KubeCluster) -> None:
    name = cluster.nodes()[0].name
    head = {"apiVersion": "v1", "kind": "Node"}
    label = "contract.rackroll.io/rack"
    cluster.apply([{**head, "metadata": {"name": name, "labels": {label: "r1"}}}])
    path = f"/api/v1/nodes/{name}"
    assert api.get(path)["metadata"]["labels"][label] == "r1"
    cluster.apply([{**head, "metadata": {"name": name, "labels": {}}}])
    assert label not in api.get(path)["metadata"]["labels"]
    with pytest.raises(StepFailed, match='nodes "nobody" not found'):
        cluster.apply([{**head, "metadata": {"name": "nobody", "labels": {label: "r1"}}}])
