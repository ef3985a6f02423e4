"""The product's own adapters against the API: exactly the calls that a plan makes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from roles.istio.role import IstioRole
from rollout.adapters.helm import HelmCharts
from rollout.adapters.kube.cluster import KubeCluster
from rollout.cli.world import roles_of
from rollout.engine.ports import ChartRequest
from rollout.errors import StepFailed
from rollout.model.mesh import ChartSource, ChartSourceKind, Gateway
from rollout.model.role import AgentKind
from rollout.model.site import Site
from rollout.site.load import load_site
from tests.contract.target import Api, Target, eventually
from tests.contract.test_programs import CHART
from tests.contract.workloads import deployed, pods, workload

ROOT = Path(__file__).parents[2]
RUN = "contract-run"


@pytest.fixture(scope="module")
def site(target: Target) -> Site:
    lab = load_site(ROOT / "inventory/lab")
    return replace(lab, kubernetes=replace(lab.kubernetes, kubeconfig=target.kubeconfig, context=None))


@pytest.fixture(scope="module")
def cluster(site: Site) -> KubeCluster:
    return KubeCluster(site, roles_of(site))


@pytest.fixture
def node(cluster: KubeCluster) -> Iterator[str]:
    """A node that carries no mark of ours, before and after."""
    name = cluster.nodes()[-1].name
    yield name
    cluster.uncordon(name, RUN)
    cluster.include(name, RUN)


@pytest.mark.call("the product's reads and marks of nodes and pods")
def test_version_and_nodes_are_read(cluster: KubeCluster) -> None:
    assert cluster.version().startswith("v1.")
    assert cluster.nodes()
    assert all(node.ready for node in cluster.nodes())


@pytest.mark.call("the product's reads and marks of nodes and pods")
def test_marks_on_a_node_come_with_their_owner_and_go_again(cluster: KubeCluster, node: str) -> None:
    cluster.cordon(node, RUN)
    cluster.exclude(node, RUN)
    marked = next(state for state in cluster.nodes() if state.name == node)
    assert (marked.cordoned, marked.excluded, marked.owner) == (True, True, RUN)
    cluster.uncordon(node, RUN)
    cluster.include(node, RUN)
    plain = next(state for state in cluster.nodes() if state.name == node)
    assert (plain.cordoned, plain.excluded, plain.owner) == (False, False, None)


@pytest.mark.call("the product's reads and marks of nodes and pods")
def test_a_cordon_of_somebody_else_stays(api: Api, cluster: KubeCluster, node: str) -> None:
    path = f"/api/v1/nodes/{node}"
    api.patch(path, {"spec": {"unschedulable": True}}, "merge", fieldManager="kubectl-cordon")
    try:
        with pytest.raises(StepFailed, match="kubectl-cordon"):
            cluster.uncordon(node, RUN)
        assert next(state for state in cluster.nodes() if state.name == node).cordoned
    finally:
        api.patch(path, {"spec": {"unschedulable": None}}, "merge", fieldManager="kubectl-cordon")


@pytest.mark.call("pods/eviction, with PodDisruptionBudgets")
def test_eviction_says_not_yet_and_deletion_does_not_ask(api: Api, cluster: KubeCluster, space: str) -> None:
    deployed(api, space, workload("Deployment", "web", replicas=2))
    budget = {"minAvailable": 2, "selector": {"matchLabels": {"app": "web"}}}
    path = f"/apis/policy/v1/namespaces/{space}/poddisruptionbudgets"
    api.call("POST", path, {"metadata": {"name": "web"}, "spec": budget})
    eventually(lambda: api.get(f"{path}/web")["status"].get("currentHealthy") == 2)
    first = pods(api, space, "web")[0]["metadata"]["name"]
    assert cluster.evict(space, first) is False
    assert cluster.evict(space, "nobody") is True
    api.call("POST", path, {"metadata": {"name": "second"}, "spec": budget})
    with pytest.raises(StepFailed, match="more than one PodDisruptionBudget"):
        cluster.evict(space, first)
    cluster.delete_pod(space, first)
    eventually(lambda: first not in {p["metadata"]["name"] for p in pods(api, space, "web")})


@pytest.mark.call("Deployment")
def test_a_deployments_readiness_is_told(api: Api, cluster: KubeCluster, space: str) -> None:
    assert cluster.deployment_ready(space, "web")[0] is False
    deployed(api, space, workload("Deployment", "web", replicas=2))
    assert cluster.deployment_ready(space, "web") == (True, f"{space}/web: 2 of 2 replicas are ready")


@pytest.mark.call("PATCH apply, with owners and conflicts")
def test_objects_are_applied_as_our_field_manager(api: Api, cluster: KubeCluster, space: str) -> None:
    body = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "c", "namespace": space},
        "data": {"k": "1"},
    }
    assert [cluster.apply([body]), cluster.apply([body])] == [1, 0], "what is so already is said to be"
    path = f"/api/v1/namespaces/{space}/configmaps/c"
    assert api.get(path)["metadata"]["managedFields"][0]["manager"] == "rackroll"
    api.patch(path, {"data": {"k": "2"}}, "merge", fieldManager="somebody")
    with pytest.raises(StepFailed, match="somebody"):
        cluster.apply([body])


@pytest.mark.call("Services and EndpointSlices")
def test_ready_gateway_nodes_come_from_endpoint_slices(
    api: Api, cluster: KubeCluster, site: Site, space: str
) -> None:
    deployed(api, space, workload("Deployment", "gw", replicas=2))
    service = {"selector": {"app": "gw"}, "ports": [{"port": 80}]}
    api.call("POST", f"/api/v1/namespaces/{space}/services", {"metadata": {"name": "gw"}, "spec": service})
    gateway: Gateway = replace(site.gateways[0], name="gw", namespace=space)
    wanted = {pod["spec"]["nodeName"] for pod in pods(api, space, "gw")}
    eventually(lambda: cluster.ready_gateway_nodes(gateway) == wanted)


@pytest.mark.call("the product's reads and marks of nodes and pods")
def test_agents_are_found_by_label_and_narrowed_to_a_node(
    api: Api, cluster: KubeCluster, site: Site, space: str
) -> None:
    class Web(IstioRole):
        def agents(self) -> tuple[AgentKind, ...]:
            return (AgentKind("web", space, (("app", "web"),), "main"),)

    deployed(api, space, workload("Deployment", "web", "example.com/web:v1.2.3", replicas=2))
    narrowed = KubeCluster(site, {"istio": Web(site, site.mesh("istio"))})
    seen = [a for a in narrowed.agents() if a.component == "web"]
    assert {(a.subject, a.version, a.ready) for a in seen} == {("istio", "1.2.3", True)}
    here = [a for a in narrowed.agents(seen[0].node) if a.component == "web"]
    assert {a.pod for a in here} == {a.pod for a in seen if a.node == seen[0].node}
    kubelets = {a.node: a.version for a in cluster.agents() if a.component == "kubelet"}
    assert kubelets.keys() == {node.name for node in cluster.nodes()}
    assert all(version[0].isdigit() for version in kubelets.values())


@pytest.mark.call("the product's reads and marks of nodes and pods")
def test_one_node_is_read_alone(cluster: KubeCluster) -> None:
    name = cluster.nodes()[0].name
    assert cluster.nodes(name) == (cluster.nodes()[0],)
    assert cluster.nodes("nobody") == ()


@pytest.mark.call("the product's reads and marks of nodes and pods")
def test_a_drain_would_evict_a_deployments_pod_and_leave_a_daemonsets(
    api: Api, cluster: KubeCluster, space: str
) -> None:
    deployed(api, space, workload("Deployment", "web", replicas=1))
    assert (
        api.call("POST", f"/apis/apps/v1/namespaces/{space}/daemonsets", workload("DaemonSet", "daemon")).code
        == 201
    )
    eventually(lambda: bool(pods(api, space, "daemon")))
    (web,) = pods(api, space, "web")
    found = cluster.evictable(web["spec"]["nodeName"])
    assert (space, web["metadata"]["name"]) in found
    daemons = {(space, pod["metadata"]["name"]) for pod in pods(api, space, "daemon")}
    assert not daemons & set(found)


@pytest.mark.call("StatefulSet")
def test_a_partition_reaches_the_statefulset_and_keeps_its_other_fields(
    api: Api, cluster: KubeCluster, space: str
) -> None:
    path = f"/apis/apps/v1/namespaces/{space}/statefulsets"
    body = workload("StatefulSet", "server", replicas=1)
    body["spec"]["serviceName"] = "server"
    api.call("POST", path, body)
    cluster.set_partition(space, "server", 1)
    spec = api.get(f"{path}/server")["spec"]
    assert spec["updateStrategy"] == {"type": "RollingUpdate", "rollingUpdate": {"partition": 1}}
    assert spec["replicas"] == 1
    with pytest.raises(StepFailed, match="nobody"):
        cluster.set_partition(space, "nobody", 1)


@pytest.mark.call("Helm")
def test_a_chart_is_installed_once_upgraded_to_the_version_asked_for_and_removed_once(
    site: Site, space: str, tmp_path: Path
) -> None:
    for name, text in CHART.items():
        file = tmp_path / "probe" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    charts = HelmCharts(site)
    source = ChartSource(ChartSourceKind.PATH, str(tmp_path))
    request = ChartRequest(source, "probe", space, "probe", "1.30.3", {"message": "a"})
    assert charts.install(request).revision == 1
    assert charts.install(request).revision == 1
    upgraded = charts.install(replace(request, version="1.31.1"))
    assert (upgraded.revision, upgraded.version, upgraded.status) == (2, "1.31.1", "deployed")
    mine = [state for state in charts.releases() if state.namespace == space]
    assert [(state.release, state.version) for state in mine] == [("probe", "1.31.1")]
    assert charts.remove(space, "probe") is True
    assert charts.remove(space, "probe") is False
    assert not [state for state in charts.releases() if state.namespace == space]
