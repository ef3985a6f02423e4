"""What our values come to in the objects that the API server has, installed from upstream's charts."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from rollout.errors import StepFailed
from rollout.model.mesh import ChartSource, ChartSourceKind, Gateway
from tests.e2e.charts.rig import ISTIO, METALLB, Rig, data, environment, image, rig, source, until
from tests.unit.sites import site

pytestmark = pytest.mark.real

SITE = site((1, 1, 1), workers=1)
GATEWAY: Gateway = SITE.meshes[0].gateways[0]
OLD, NEW = ISTIO
PLACE = (GATEWAY.namespace, GATEWAY.name)


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """MetalLB and Istio in place, in the order of a bringup."""
    with rig(tmp_path_factory.mktemp("real"), SITE) as made:
        for subject, version in (("metallb", METALLB[-1]), ("istio", NEW)):
            made.install_all(subject, version)
            role = made.role(subject)
            for part in role.parts():
                made.kube.apply(role.objects(part))
        yield made


def test_one_gateway_runs_on_each_gateway_node_and_one_of_them_may_go(real: Rig) -> None:
    """The real disruption controller counts the budget: the number is what an eviction is answered by."""
    real.ready_pods(GATEWAY.namespace, f"app={GATEWAY.name}", 3)
    nodes = {pod["spec"]["nodeName"] for pod in real.pods(GATEWAY.namespace, f"app={GATEWAY.name}").values()}
    assert nodes == {node.name for node in SITE.gateway_nodes}
    assert real.get("PodDisruptionBudget", *PLACE)["spec"]["minAvailable"] == 2
    until(lambda: allowed(real, *PLACE) == 1, "a budget that lets one gateway go")


def test_a_second_gateway_is_not_evicted_while_the_first_is_away(real: Rig) -> None:
    """Pods that KWOK is to keep unready: the first eviction is granted, the second answered with 429."""
    selector = f"app={GATEWAY.name}"
    pods = real.pods(GATEWAY.namespace, selector)
    names = sorted(pod["metadata"]["name"] for pod in pods.values())
    hold_replacements(real, True)
    assert real.kube.evict(GATEWAY.namespace, names[0])
    until(lambda: allowed(real, *PLACE) == 0, "a budget that is used up")
    assert not real.kube.evict(GATEWAY.namespace, names[1])
    hold_replacements(real, False)
    for pod in real.pods(GATEWAY.namespace, selector).values():
        if pod["metadata"]["name"] not in names:
            real.kube.delete_pod(GATEWAY.namespace, pod["metadata"]["name"])
    real.ready_pods(GATEWAY.namespace, selector, 3)


def test_gateways_are_replaced_only_when_deleted_and_drain_long_enough(real: Rig) -> None:
    workload = real.get("DaemonSet", *PLACE)
    assert workload["spec"]["updateStrategy"]["type"] == "OnDelete"
    owners = {owner["manager"] for owner in workload["metadata"]["managedFields"] if owns_strategy(owner)}
    assert owners == {"rackroll"}
    pod = workload["spec"]["template"]
    assert pod["spec"]["terminationGracePeriodSeconds"] == 32
    annotations = pod["metadata"]["annotations"]
    assert json.loads(annotations["proxy.istio.io/config"]) == {"terminationDrainDuration": "2s"}
    assert annotations["inject.istio.io/templates"] == "gateway", "the chart's own annotations stay"
    assert pod["spec"]["nodeSelector"] == {"rackroll.io/gateway": "true"}


def test_a_daemonsets_autoscaler_is_not_there(real: Rig) -> None:
    """``autoscaling`` is said for the budget's sake."""
    assert not real.there("HorizontalPodAutoscaler", *PLACE)


def test_the_gateways_service_asks_metallb_for_the_vip_and_keeps_to_local_endpoints(real: Rig) -> None:
    service = real.get("Service", *PLACE)
    assert (
        service["metadata"]["annotations"].items()
        >= {
            "metallb.io/address-pool": "gateways",
            "metallb.io/loadBalancerIPs": str(GATEWAY.vip),
        }.items()
    )
    spec = service["spec"]
    assert (spec["type"], spec["externalTrafficPolicy"]) == ("LoadBalancer", "Local")
    assert "loadBalancerIP" not in spec, "the annotation says it"
    assert (spec["ipFamilyPolicy"], spec["ipFamilies"]) == ("SingleStack", ["IPv4"])
    assert [port["port"] for port in spec["ports"]] == [80]


def test_istiod_runs_twice_with_a_budget_and_from_a_hub_that_stays(real: Rig) -> None:
    place = (SITE.meshes[0].namespace, "istiod")
    assert real.get("HorizontalPodAutoscaler", *place)["spec"]["minReplicas"] == 2
    real.ready_pods(place[0], "app=istiod", 2)
    assert real.get("PodDisruptionBudget", *place)["spec"]["minAvailable"] == 1
    until(lambda: allowed(real, *place) == 1, "a budget that lets one istiod go")
    assert image(real.get("Deployment", *place), "discovery") == f"docker.io/istio/pilot:{NEW}"


def test_nothing_that_runs_names_a_hub_that_is_being_retired(real: Rig) -> None:
    found = real.api.get("/api/v1/pods")["items"]
    images = {
        item["image"]
        for pod in found
        for item in (*pod["spec"]["containers"], *pod["spec"].get("initContainers", ()))
    }
    assert images
    assert not [name for name in images if re.search(r"gcr\.io/istio|registry\.istio\.io", name)]
    injected = data(real.get("ConfigMap", "istio-system", "istio-sidecar-injector"), "values")["global"]
    assert (injected["hub"], injected["tag"]) == ("docker.io/istio", NEW)


def test_a_pin_holds_every_proxy_that_istiod_renders(real: Rig) -> None:
    """Upstream's own templates: an image with a slash in it is taken as it is, whatever hub and tag say."""
    real.install("istio", "istiod", NEW, OLD)
    config = real.get("ConfigMap", "istio-system", "istio-sidecar-injector")
    found = data(config, "values")["global"]
    held = f"docker.io/istio/proxyv2:{OLD}"
    assert (found["proxy"]["image"], found["proxy_init"]["image"]) == (held, held)
    for value in ("proxy", "proxy_init"):
        assert as_it_is(value) <= len(re.findall(condition(value), config["data"]["config"])), value
    assert image(real.get("Deployment", "istio-system", "istiod"), "discovery").endswith(f":{NEW}")
    real.install("istio", "istiod", NEW)
    config = real.get("ConfigMap", "istio-system", "istio-sidecar-injector")
    assert data(config, "values")["global"]["proxy"]["image"] == "proxyv2", "let go"


def test_the_mesh_has_the_sites_trust_domain(real: Rig) -> None:
    mesh = real.get("ConfigMap", "istio-system", "istio")["data"]["mesh"]
    assert "trustDomain: cluster.local" in mesh.splitlines()


def test_speakers_stay_until_deleted_speak_frr_and_heed_the_exclude_label(real: Rig) -> None:
    speaker = real.get("DaemonSet", "metallb-system", "metallb-speaker")
    assert speaker["spec"]["updateStrategy"]["type"] == "OnDelete"
    containers = {item["name"]: item for item in speaker["spec"]["template"]["spec"]["containers"]}
    assert set(containers) == {"speaker", "frr", "reloader", "frr-metrics"}
    assert environment(speaker, "speaker")["METALLB_BGP_TYPE"] == "frr"
    assert "--ignore-exclude-lb" not in " ".join(containers["speaker"]["args"])
    assert not real.there("DaemonSet", "metallb-system", "metallb-frr-k8s")


def test_metallbs_images_have_the_tags_that_upstream_pushes(real: Rig) -> None:
    controller = real.get("Deployment", "metallb-system", "metallb-controller")
    speaker = real.get("DaemonSet", "metallb-system", "metallb-speaker")
    assert image(controller, "controller") == f"quay.io/metallb/controller:v{METALLB[-1]}"
    assert image(speaker, "speaker") == f"quay.io/metallb/speaker:v{METALLB[-1]}"


def test_metallbs_controller_is_told_the_same_backend(real: Rig) -> None:
    controller = real.get("Deployment", "metallb-system", "metallb-controller")
    assert environment(controller, "controller").get("METALLB_BGP_TYPE") == "frr"


def test_the_product_reads_back_what_runs(real: Rig) -> None:
    """By the roles' own selectors and the versions in the images."""
    versions = {(agent.component, agent.version) for agent in real.kube.agents()}
    assert {("speaker", METALLB[-1]), ("controller", METALLB[-1]), ("istiod", NEW)} <= versions
    assert real.role("istio").installed_version(real.charts.releases()) == NEW
    assert real.kube.ready_gateway_nodes(GATEWAY) == {node.name for node in SITE.gateway_nodes}


def test_what_is_installed_as_asked_gets_no_second_revision(real: Rig) -> None:
    for subject, version in (("metallb", METALLB[-1]), ("istio", NEW)):
        for step in real.steps(subject):
            before = next(s for s in real.charts.releases() if s.release == step.release)
            assert real.install(subject, step.release, version) == before


def test_a_repository_with_a_newer_chart_gives_the_one_that_was_asked_for(real: Rig, tmp_path: Path) -> None:
    """Over HTTP, as a production site has it; both minors are there."""
    with repository(real, tmp_path, "gateway") as location:
        place = {
            "release": "trial",
            "namespace": "trial",
            "source": ChartSource(ChartSourceKind.HTTP, location),
        }
        values = {"service": {"type": "None"}, "nodeSelector": {"nowhere": "true"}}
        request = replace(real.request("istio", GATEWAY.name, OLD), values=values, **place)  # type: ignore[arg-type]
        assert real.charts.install(request).version == OLD
        absent = replace(request, version="1.30.99")
        with pytest.raises(StepFailed, match=r"1\.30\.99"):
            real.charts.install(absent)
        assert real.charts.install(replace(request, version=NEW)).version == NEW
    assert real.charts.remove("trial", "trial")


@contextmanager
def repository(real: Rig, folder: Path, chart: str) -> Iterator[str]:
    """A chart repository on this machine, with every version of the chart that there is."""
    for version in ISTIO:
        stamp = ["--version", version, "--app-version", version, "--destination", str(folder)]
        real.helm("package", str(Path(source("istio", version).location) / chart), *stamp)
    real.helm("repo", "index", str(folder))
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        del format, args


def allowed(real: Rig, namespace: str, name: str) -> int:
    status = real.get("PodDisruptionBudget", namespace, name).get("status", {})
    return int(status.get("disruptionsAllowed", -1))


def owns_strategy(owner: dict[str, object]) -> bool:
    return '"f:updateStrategy": {"f:type"' in json.dumps(owner.get("fieldsV1"))


def condition(value: str) -> str:
    return (
        r'if contains "/" \(annotation \.ObjectMeta `sidecar\.istio\.io/proxyImage` \.Values\.global\.'
        rf'{value}\.image\) \}}\}}\s+image: "\{{\{{ annotation \.ObjectMeta `sidecar\.istio\.io/proxyImage` '
        rf"\.Values\.global\.{value}\.image"
    )


def as_it_is(value: str) -> int:
    """Sidecars, gateways, waypoints and the gateways of the Gateway API; init containers are sidecars' only."""
    return {"proxy": 4, "proxy_init": 1}[value]


def hold_replacements(real: Rig, hold: bool) -> None:
    """New gateway pods stay unready: KWOK's stages read this annotation."""
    patch = {"metadata": {"annotations": {"rackroll.test/unready": "1" if hold else None}}}
    real.api.request(
        "PATCH",
        f"/apis/apps/v1/namespaces/{GATEWAY.namespace}/daemonsets/{GATEWAY.name}",
        body={"spec": {"template": patch}},
        content_type="application/merge-patch+json",
    )
