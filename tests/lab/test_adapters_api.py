"""The Helm and Kubernetes adapters, with the real ``helm`` program, against the lab's simulated API.

The nodes are simulated: pods become Ready without running anything. What is proven here is what rackroll
asks of an API server and makes of its answers; real nodes are the business of the end-to-end tests.
"""

from __future__ import annotations

import base64
import gzip
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lab.sitecopy import copy_site
from roles.istio.role import IstioRole
from roles.metallb.role import MetalLbRole
from rollout.adapters.helm import HelmCharts
from rollout.adapters.helm_program import helm_program
from rollout.adapters.kube import KubeCluster
from rollout.adapters.kube.api import MERGE, KubeApi, connect
from rollout.cli.world import roles_of
from rollout.engine.ports import ChartRequest
from rollout.errors import StepFailed
from rollout.model.mesh import Gateway
from rollout.model.role import ChartStep, SubjectRole
from rollout.model.site import Site
from rollout.site.load import load_site
from tests.lab.test_charts import packaged

pytestmark = pytest.mark.lab

ROOT = Path(__file__).resolve().parents[2]
NODES = ["r1n1", "r1n2", "r1n3", "r2n1", "r2n2", "r2n3"]
GATEWAY_NODES = frozenset({"r1n1", "r1n2", "r2n1", "r2n2"})
OLD, NEW = "1.30.3", "1.31.1"


@dataclass(frozen=True)
class Bench:
    """One site with its own simulated cluster, and the adapters under test."""

    site: Site
    cluster: KubeCluster
    charts: HelmCharts
    api: KubeApi
    istio: SubjectRole
    metallb: SubjectRole

    @property
    def gateway(self) -> Gateway:
        return self.site.gateways[0]

    def request(self, role: SubjectRole, step: ChartStep, version: str) -> ChartRequest:
        values = role.values(step, version)
        return ChartRequest(role.source(), step.release, step.namespace, step.chart, version, values)

    def install(self, role: SubjectRole, version: str, *, stage: str = "") -> None:
        for step in role.charts():
            if stage in ("", step.stage):
                self.charts.install(self.request(role, step, version))

    def istiod_serves(self) -> bool:
        return self.cluster.deployment_ready(*self.istio.control_plane())[0]

    def gateway_pods(self) -> dict[str, tuple[str, str]]:
        """By node: the pod and its version; pods on their way out are left out."""
        proxies = (p for p in self.cluster.proxies() if p.gateway and p.node and not p.terminating)
        return {proxy.node: (proxy.pod, proxy.version) for proxy in proxies if proxy.node}


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """Brought up once, in the order of a bringup; each test leaves the cluster as it found it."""
    folder = copy_site(
        ROOT / "inventory" / "lab", tmp_path_factory.mktemp("labadp"), name="labadp", loopback="127.95."
    )
    with daemon(folder):
        site = load_site(folder)
        made = Bench(
            site,
            KubeCluster(site, roles_of(site)),
            HelmCharts(site),
            connect(site.kubernetes),
            IstioRole(site, site.mesh("istio")),
            MetalLbRole(site),
        )
        bring_up(made)
        yield made


@contextmanager
def daemon(folder: Path) -> Iterator[None]:
    command = [sys.executable, "-m", "lab.daemon", str(folder), "--simulated-nodes"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with (folder / "daemon.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environment, start_new_session=True)
    try:
        eventually("the simulated API serves", lambda: (folder / ".lab" / "daemon.json").exists())
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=20)


def bring_up(bench: Bench) -> None:
    bench.install(bench.metallb, "0.16.1")
    for part in bench.metallb.parts():
        bench.cluster.apply(bench.metallb.objects(part))
    bench.install(bench.istio, OLD, stage="control-plane")
    bench.cluster.apply(bench.istio.objects("namespaces"))
    eventually("istiod serves", bench.istiod_serves)
    bench.install(bench.istio, OLD, stage="gateways")
    bench.cluster.apply(bench.istio.objects("gateways-update-strategy"))
    eventually(
        "gateways are ready", lambda: bench.cluster.ready_gateway_nodes(bench.gateway) == GATEWAY_NODES
    )


def eventually(what: str, holds: Callable[[], bool], seconds: float = 20.0) -> None:
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.1)


# ---------------------------------------------------------------- after the bringup


def test_the_cluster_is_the_sites_and_every_node_has_its_labels(bench: Bench) -> None:
    assert bench.cluster.version().startswith("v1.35")
    assert [(node.name, node.ready) for node in bench.cluster.nodes()] == [(name, True) for name in NODES]
    labels = {i["metadata"]["name"]: i["metadata"]["labels"] for i in bench.api.get("/api/v1/nodes")["items"]}
    assert {name for name in NODES if labels[name].get("rackroll.io/gateway") == "true"} == GATEWAY_NODES
    assert labels["r2n3"]["rackroll.io/rack"] == "r2"


def test_metallb_has_its_pools_peers_and_advertisement(bench: Bench) -> None:
    assert bench.cluster.deployment_ready(*bench.metallb.control_plane())[0]
    kinds = ("v1beta2/namespaces/metallb-system/bgppeers", "v1beta1/namespaces/metallb-system/ipaddresspools")
    peers, pools = (bench.api.get(f"/apis/metallb.io/{kind}")["items"] for kind in kinds)
    assert sorted(peer["metadata"]["name"] for peer in peers) == ["tor-r1", "tor-r2"]
    assert [pool["spec"]["addresses"] for pool in pools] == [["203.0.113.0/28"]]


def test_one_gateway_runs_on_each_gateway_node_at_the_control_planes_version(bench: Bench) -> None:
    found = bench.gateway_pods()
    assert found.keys() == GATEWAY_NODES
    assert {version for _, version in found.values()} == {OLD}


def test_applying_everything_again_changes_nothing(bench: Bench) -> None:
    path = "/apis/apps/v1/namespaces/istio-ingress/daemonsets/istio-ingress"
    before = bench.api.get(path)["metadata"]["generation"]
    for role in (bench.metallb, bench.istio):
        for part in role.parts():
            bench.cluster.apply(role.objects(part))
    assert bench.api.get(path)["metadata"]["generation"] == before


def test_installing_everything_again_writes_no_revision(bench: Bench) -> None:
    before = bench.charts.releases()
    bench.install(bench.metallb, "0.16.1")
    bench.install(bench.istio, OLD)
    assert bench.charts.releases() == before
    assert {state.status for state in before} == {"deployed"}
    assert bench.istio.installed_version(before) == OLD
    assert bench.metallb.installed_version(before) == "0.16.1"


# ---------------------------------------------------------------- marks


def test_marks_are_taken_and_given_back_and_nothing_stays(bench: Bench) -> None:
    cluster = bench.cluster
    before = cluster.nodes()
    cluster.exclude("r1n1", "run-1")
    cluster.cordon("r1n1", "run-1")
    cluster.cordon("r1n1", "run-1")
    held = next(node for node in cluster.nodes() if node.name == "r1n1")
    assert (held.cordoned, held.excluded, held.owner) == (True, True, "run-1")
    cluster.uncordon("r1n1", "run-1")
    assert next(node for node in cluster.nodes() if node.name == "r1n1").owner == "run-1"
    cluster.include("r1n1", "run-1")
    assert cluster.nodes() == before
    annotations = bench.api.get("/api/v1/nodes/r1n1")["metadata"].get("annotations") or {}
    assert not [key for key in annotations if key.startswith("rackroll.io/")]


@pytest.mark.kubectl
def test_a_cordon_by_kubectl_stops_us_and_stays(bench: Bench) -> None:
    kubectl(bench, "cordon", "r2n3")
    try:
        with pytest.raises(StepFailed, match="cordoned by someone else"):
            bench.cluster.cordon("r2n3", "run-1")
        bench.cluster.exclude("r2n3", "run-1")
        with pytest.raises(StepFailed, match="cordoned by someone else"):
            bench.cluster.uncordon("r2n3", "run-1")
        bench.cluster.include("r2n3", "run-1")
        assert next(node for node in bench.cluster.nodes() if node.name == "r2n3").cordoned
    finally:
        kubectl(bench, "uncordon", "r2n3")


def kubectl(bench: Bench, *words: str) -> str:
    command = ["kubectl", "--kubeconfig", str(bench.site.kubernetes.kubeconfig), *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


# ---------------------------------------------------------------- recovery, with the real helm


def test_a_helm_that_died_in_an_upgrade_is_recovered_without_uninstalling(bench: Bench) -> None:
    step = bench.istio.charts()[0]
    before = bench.charts.install(bench.request(bench.istio, step, OLD))
    interrupted = bench.charts.install(bench.request(bench.istio, step, NEW))
    set_status(bench.api, step, before.revision, "deployed")
    set_status(bench.api, step, interrupted.revision, "pending-upgrade")
    created = crd_created(bench)
    after = bench.charts.install(bench.request(bench.istio, step, NEW))
    assert (after.status, after.version) == ("deployed", NEW)
    assert after.revision == interrupted.revision + 2, "one rollback and one upgrade"
    assert crd_created(bench) == created, "uninstalling would have made the CRDs anew"
    bench.charts.install(bench.request(bench.istio, step, OLD))


def test_a_first_install_whose_helm_was_killed_is_finished(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rollout.adapters.helm.PATIENCE", timedelta(0))
    values = {
        "nodeSelector": {"nowhere": "true"},
        "service": {"type": "None"},
        "autoscaling": {"enabled": False},
    }
    request = ChartRequest(bench.istio.source(), "trial", "trial", "gateway", OLD, values)
    kill_while_it_waits(bench, request)
    found = {state.release: state.status for state in bench.charts.releases()}
    assert found["trial"] == "pending-install"
    after = bench.charts.install(request)
    assert (after.status, after.revision) == ("deployed", 2)


def kill_while_it_waits(bench: Bench, request: ChartRequest) -> None:
    """A helm that waits for pods which fit no node, ended by SIGKILL in the middle."""
    place = ["--namespace", request.namespace, "--create-namespace"]
    chart = ["--kubeconfig", str(bench.site.kubernetes.kubeconfig), "--wait", "--values", "-"]
    stamped = packaged(request.chart, request.version, bench.site.folder)
    command = [str(helm_program()), "upgrade", "--install", request.release, str(stamped), *place, *chart]
    process = subprocess.Popen(command, stdin=subprocess.PIPE)
    assert process.stdin is not None
    process.stdin.write(json.dumps(request.values).encode())
    process.stdin.close()
    workload = f"/apis/apps/v1/namespaces/{request.namespace}/deployments"
    eventually("its objects are there", lambda: bool(bench.api.get(workload)["items"]))
    process.kill()
    process.wait()


def set_status(api: KubeApi, step: ChartStep, revision: int, status: str) -> None:
    """Make a revision look as an interrupted helm leaves it: pending, and a while ago."""
    path = f"/api/v1/namespaces/{step.namespace}/secrets/sh.helm.release.v1.{step.release}.v{revision}"
    stored = api.get(path)["data"]["release"]
    release = json.loads(gzip.decompress(base64.b64decode(base64.b64decode(stored))))
    release["info"]["status"] = status
    release["info"]["last_deployed"] = (datetime.now(UTC) - timedelta(minutes=2)).isoformat()
    packed = base64.b64encode(base64.b64encode(gzip.compress(json.dumps(release).encode()))).decode()
    body = {"data": {"release": packed}, "metadata": {"labels": {"status": status}}}
    api.request("PATCH", path, body=body, content_type=MERGE)


def crd_created(bench: Bench) -> str:
    path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/gateways.networking.istio.io"
    return str(bench.api.get(path)["metadata"]["creationTimestamp"])


def test_what_belongs_to_another_release_is_refused_in_helms_words(bench: Bench) -> None:
    request = ChartRequest(bench.istio.source(), "other", "istio-system", "istiod", OLD, {})
    with pytest.raises(StepFailed, match="exists and cannot be imported") as caught:
        bench.charts.install(request)
    assert "somebody else" in caught.value.hint


# ---------------------------------------------------------------- the upgrade: last, it moves every version


def test_an_upgrade_moves_no_gateway_until_its_pod_is_evicted_one_at_a_time(bench: Bench) -> None:
    bench.install(bench.istio, NEW)
    eventually("istiod serves", bench.istiod_serves)
    assert {version for _, version in bench.gateway_pods().values()} == {OLD}, "OnDelete holds them all"

    first, second, *_ = sorted(GATEWAY_NODES)
    pods = bench.gateway_pods()
    assert bench.cluster.evict("istio-ingress", pods[first][0]) is True
    assert bench.cluster.evict("istio-ingress", pods[second][0]) is False, "the budget says not yet"
    eventually(
        "the evicted gateway is back",
        lambda: bench.cluster.ready_gateway_nodes(bench.gateway) == GATEWAY_NODES,
    )
    found = bench.gateway_pods()
    assert found[first][1] == NEW
    assert found[second] == pods[second]


def test_a_gateway_comes_back_on_a_cordoned_node(bench: Bench) -> None:
    pod, _ = bench.gateway_pods()["r1n2"]
    bench.cluster.cordon("r1n2", "run-2")
    assert bench.cluster.evict("istio-ingress", pod) is True
    eventually("it is back", lambda: bench.gateway_pods().get("r1n2", (pod, ""))[0] != pod)
    bench.cluster.uncordon("r1n2", "run-2")
    eventually("it is ready", lambda: "r1n2" in bench.cluster.ready_gateway_nodes(bench.gateway))
    assert bench.cluster.evict("istio-ingress", pod) is True, "a pod that is gone counts as evicted"


def test_a_rollback_goes_back_the_same_way(bench: Bench) -> None:
    bench.install(bench.istio, OLD)
    eventually("istiod serves", bench.istiod_serves)
    pod, version = bench.gateway_pods()["r1n1"]
    assert version == NEW
    bench.cluster.delete_pod("istio-ingress", pod)
    eventually("it is back at the old version", lambda: bench.gateway_pods().get("r1n1", ("", ""))[1] == OLD)
    assert bench.istio.installed_version(bench.charts.releases()) == OLD


def test_failing_a_gateways_health_check_needs_a_pod_that_is_there(bench: Bench) -> None:
    with pytest.raises(StepFailed, match="istio-ingress/nobody"):
        bench.cluster.fail_gateway_health("istio-ingress", "nobody")


def test_a_gateways_health_check_is_failed_by_a_command_in_its_pod(bench: Bench) -> None:
    pod, _ = bench.gateway_pods()["r2n1"]
    bench.cluster.fail_gateway_health("istio-ingress", pod)
