"""The stand-in charts, rendered by the real helm with the roles' own values."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import yaml

from roles.istio.role import IstioRole
from roles.metallb.role import MetalLbRole
from rollout.adapters.helm_program import helm_program
from rollout.model.role import SubjectRole
from rollout.model.site import Site
from rollout.site.load import load_site

pytestmark = pytest.mark.lab

ROOT = Path(__file__).resolve().parents[2]
CHARTS = ROOT / "lab" / "charts"

Objects = dict[tuple[str, str], dict[str, Any]]


@pytest.fixture(scope="module")
def site() -> Site:
    return load_site(ROOT / "inventory" / "lab")


@pytest.fixture(scope="module")
def istio(site: Site) -> IstioRole:
    return IstioRole(site, site.mesh("istio"))


def helm(*words: str, given: str = "") -> str:
    done = subprocess.run([str(helm_program()), *words], input=given, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def packaged(chart: str, version: str, folder: Path) -> Path:
    stamp = ["--version", version, "--app-version", version, "--destination", str(folder)]
    helm("package", str(CHARTS / chart), *stamp)
    return folder / f"{chart}-{version}.tgz"


def rendered(role: SubjectRole, chart: str, version: str, folder: Path) -> Objects:
    """As an install of that version would: stamped, with the role's release name, namespace and values."""
    step = next(step for step in role.charts() if step.chart == chart)
    package = str(packaged(chart, version, folder))
    values = json.dumps(role.values(step, version))
    text = helm("template", step.release, package, "--namespace", step.namespace, "-f", "-", given=values)
    return by_name(item for item in yaml.safe_load_all(text) if item)


def by_name(items: Iterable[dict[str, Any]]) -> Objects:
    return {(item["kind"], item["metadata"]["name"]): item for item in items}


def pod(workload: dict[str, Any]) -> dict[str, Any]:
    template: dict[str, Any] = workload["spec"]["template"]
    return template


def images(workload: dict[str, Any]) -> list[str]:
    return [container["image"] for container in pod(workload)["spec"]["containers"]]


@pytest.mark.parametrize("chart", ["base", "istiod", "gateway", "metallb"])
def test_every_chart_says_that_it_is_a_stand_in_and_carries_a_placeholder_version(chart: str) -> None:
    meta = yaml.safe_load((CHARTS / chart / "Chart.yaml").read_text())
    assert meta["annotations"] == {"rackroll.io/stand-in": "true"}
    assert (meta["version"], meta["appVersion"]) == ("0.0.0", "0.0.0")
    helm("lint", str(CHARTS / chart))


def test_a_gateway_runs_on_gateway_nodes_only_and_n_minus_1_must_stay(
    istio: IstioRole, tmp_path: Path
) -> None:
    found = rendered(istio, "gateway", "1.30.3", tmp_path)
    workload = found["DaemonSet", "istio-ingress"]
    assert pod(workload)["spec"]["nodeSelector"] == {"rackroll.io/gateway": "true"}
    assert pod(workload)["spec"]["terminationGracePeriodSeconds"] == 32
    assert images(workload) == ["auto"]
    budget = found["PodDisruptionBudget", "istio-ingress"]["spec"]
    assert budget["minAvailable"] == 3
    assert budget["selector"] == workload["spec"]["selector"]


def test_a_gateways_service_asks_for_its_vip_and_keeps_to_local_endpoints(
    istio: IstioRole, tmp_path: Path
) -> None:
    service = rendered(istio, "gateway", "1.30.3", tmp_path)["Service", "istio-ingress"]
    assert service["metadata"]["annotations"] == {
        "metallb.io/address-pool": "gateways",
        "metallb.io/loadBalancerIPs": "203.0.113.1",
    }
    spec = service["spec"]
    assert (spec["type"], spec["externalTrafficPolicy"]) == ("LoadBalancer", "Local")
    assert spec["ports"] == [{"name": "http2", "port": 80, "protocol": "TCP", "targetPort": 80}]
    assert spec["selector"] == {"app": "istio-ingress", "istio": "ingress"}


def test_drain_annotations_add_to_the_charts_own_they_do_not_replace_them(
    istio: IstioRole, tmp_path: Path
) -> None:
    workload = rendered(istio, "gateway", "1.30.3", tmp_path)["DaemonSet", "istio-ingress"]
    annotations = pod(workload)["metadata"]["annotations"]
    assert json.loads(annotations["proxy.istio.io/config"]) == {"terminationDrainDuration": "2s"}
    assert annotations["inject.istio.io/templates"] == "gateway"


def test_a_daemonset_gets_neither_replicas_nor_a_strategy_it_does_not_have(
    istio: IstioRole, tmp_path: Path
) -> None:
    spec = rendered(istio, "gateway", "1.30.3", tmp_path)["DaemonSet", "istio-ingress"]["spec"]
    assert {"replicas", "strategy", "updateStrategy"} & set(spec) == set()


def test_an_upgrade_changes_the_pod_template_and_never_the_selector(istio: IstioRole, tmp_path: Path) -> None:
    """Why OnDelete is needed: with values unchanged, the version alone would roll every gateway."""
    before = rendered(istio, "gateway", "1.30.3", tmp_path)["DaemonSet", "istio-ingress"]
    after = rendered(istio, "gateway", "1.31.1", tmp_path)["DaemonSet", "istio-ingress"]
    assert before["spec"]["selector"] == after["spec"]["selector"]
    labels = pod(after)["metadata"]["labels"]
    assert labels["helm.sh/chart"] == "gateway-1.31.1"
    assert labels["app.kubernetes.io/version"] == "1.31.1"
    assert pod(before) != pod(after)


def test_the_control_plane_runs_the_version_from_the_pinned_hub_twice(
    istio: IstioRole, tmp_path: Path
) -> None:
    found = rendered(istio, "istiod", "1.31.1", tmp_path)
    assert images(found["Deployment", "istiod"]) == ["docker.io/istio/pilot:1.31.1"]
    assert found["HorizontalPodAutoscaler", "istiod"]["spec"]["minReplicas"] == 2
    assert found["PodDisruptionBudget", "istiod"]["spec"]["minAvailable"] == 1
    mesh = yaml.safe_load(found["ConfigMap", "istio"]["data"]["mesh"])
    pushed = {"proxyMetadata": {"PROXY_CONFIG_XDS_AGENT": "true"}}
    assert mesh == {"trustDomain": "cluster.local", "defaultConfig": pushed}


def test_the_injectors_values_carry_what_pins_the_data_plane(istio: IstioRole, tmp_path: Path) -> None:
    found = rendered(istio, "istiod", "1.31.1", tmp_path)["ConfigMap", "istio-sidecar-injector"]
    values = json.loads(found["data"]["values"])["global"]
    assert (values["hub"], values["proxy"]["image"]) == ("docker.io/istio", "proxyv2")


def test_one_control_plane_replica_gets_no_budget_as_upstream_renders_none() -> None:
    text = helm("template", "istiod", str(CHARTS / "istiod"))
    assert "PodDisruptionBudget" not in text


def test_the_kinds_that_the_role_applies_are_served_in_the_version_it_names(
    site: Site, tmp_path: Path
) -> None:
    role = MetalLbRole(site)
    found = rendered(role, "metallb", "0.16.1", tmp_path)
    served = {
        (f"{crd['spec']['group']}/{version['name']}", crd["spec"]["names"]["kind"])
        for (kind, _), crd in found.items()
        if kind == "CustomResourceDefinition"
        for version in crd["spec"]["versions"]
        if version["served"]
    }
    assert {(item["apiVersion"], item["kind"]) for item in role.objects("pools")} <= served


def test_metallb_runs_its_version_speakers_change_only_by_hand_and_bgp_is_frrs(
    site: Site, tmp_path: Path
) -> None:
    role = MetalLbRole(site)
    found = rendered(role, "metallb", "0.16.1", tmp_path)
    namespace, controller = role.control_plane()
    assert found["Deployment", controller]["metadata"]["namespace"] == namespace
    assert images(found["Deployment", controller]) == ["quay.io/metallb/controller:v0.16.1"]
    speaker = found["DaemonSet", "metallb-speaker"]
    assert images(speaker) == ["quay.io/metallb/speaker:v0.16.1"]
    assert speaker["spec"]["updateStrategy"] == {"type": "OnDelete"}
    container = pod(speaker)["spec"]["containers"][0]
    assert {"name": "METALLB_BGP_TYPE", "value": "frr"} in container["env"]
    assert "--ignore-exclude-lb=true" not in container["args"]
