"""Istio by revision and in ambient mode, from upstream's charts: what is particular to either way."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from rollout.model.mesh import DataPlane, Method
from tests.e2e.charts.rig import ISTIO, Object, Rig, data, environment, image, rig
from tests.unit import subject_sites as sites

pytestmark = pytest.mark.real

OLD, NEW = ISTIO
REVISIONED = sites.istio(method=Method.REVISION, tag="prod", version=OLD)
AMBIENT = sites.istio(data_plane=DataPlane.AMBIENT, version=NEW)
GATEWAY = REVISIONED.meshes[0].gateways[0]
INJECTORS = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"
VALIDATORS = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"
BEFORE, AFTER = (version.replace(".", "-") for version in ISTIO)


@pytest.fixture(scope="module")
def revisioned(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """Two istiods stand beside each other; the tag, the validator and the gateway are still the first one's."""
    with rig(tmp_path_factory.mktemp("revisioned"), REVISIONED) as made:
        made.install_all("istio", OLD)
        apply(made, *made.role("istio").parts())
        made.install("istio", f"istiod-{AFTER}", NEW)
        yield made


@pytest.fixture(scope="module")
def ambient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with rig(tmp_path_factory.mktemp("ambient"), AMBIENT) as made:
        made.install_all("istio", NEW)
        apply(made, *made.role("istio").parts())
        yield made


def apply(real: Rig, *parts: str) -> None:
    for part in parts:
        real.kube.apply(real.role("istio").objects(part))


def named(real: Rig, path: str, name: str) -> Object:
    return real.api.get(f"{path}/{name}")


def test_each_revision_has_its_own_istiod_budget_and_injector(revisioned: Rig) -> None:
    for revision, version in ((BEFORE, OLD), (AFTER, NEW)):
        name = f"istiod-{revision}"
        assert image(revisioned.get("Deployment", "istio-system", name), "discovery").endswith(f":{version}")
        revisioned.ready_pods("istio-system", f"app=istiod,istio.io/rev={revision}", 2)
        assert revisioned.there("PodDisruptionBudget", "istio-system", name)
        config = revisioned.get("ConfigMap", "istio-system", f"istio-sidecar-injector-{revision}")
        found = data(config, "values")
        assert (found["revision"], found["global"]["tag"]) == (revision, version)


def test_gateways_carry_the_tag_so_they_follow_it(revisioned: Rig) -> None:
    workload = revisioned.get("DaemonSet", GATEWAY.namespace, GATEWAY.name)
    assert workload["spec"]["template"]["metadata"]["labels"]["istio.io/rev"] == "prod"


def test_the_base_chart_renders_no_validator_that_could_not_move(revisioned: Rig) -> None:
    names = {item["metadata"]["name"] for item in revisioned.api.get(VALIDATORS)["items"]}
    assert "istiod-default-validator" not in names
    assert "rackroll-validator-istio" in names


def test_the_tag_moves_in_one_object_that_is_never_away_and_what_istiod_wrote_stays(revisioned: Rig) -> None:
    """istiod patches the CA bundle in; the move is ours, by another manager."""
    name = "istio-revision-tag-prod"
    bundle = [
        {"op": "add", "path": f"/webhooks/{i}/clientConfig/caBundle", "value": "cm9vdA=="} for i in (0, 1)
    ]
    revisioned.api.request(
        "PATCH", f"{INJECTORS}/{name}", body=bundle, content_type="application/json-patch+json"
    )
    before = named(revisioned, INJECTORS, name)
    apply(revisioned, f"tag-{AFTER}", f"validator-{AFTER}")
    after = named(revisioned, INJECTORS, name)
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    configs = [webhook["clientConfig"] for webhook in after["webhooks"]]
    assert {(config["service"]["name"], config["caBundle"]) for config in configs} == {
        (f"istiod-{AFTER}", "cm9vdA==")
    }


def test_the_first_istiod_goes_and_takes_nothing_that_others_use(revisioned: Rig) -> None:
    """Runs after the tag has moved, as the recipe has it."""
    gateways = revisioned.ready_pods(GATEWAY.namespace, f"app={GATEWAY.name}", 4)
    assert revisioned.charts.remove("istio-system", f"istiod-{BEFORE}")
    assert not revisioned.there("Deployment", "istio-system", f"istiod-{BEFORE}")
    revisioned.ready_pods("istio-system", f"app=istiod,istio.io/rev={AFTER}", 2)
    assert revisioned.there("CustomResourceDefinition", "", "gateways.networking.istio.io")
    assert named(revisioned, INJECTORS, "istio-revision-tag-prod")["webhooks"]
    assert revisioned.ready_pods(GATEWAY.namespace, f"app={GATEWAY.name}", 4) == gateways
    assert not revisioned.charts.remove("istio-system", f"istiod-{BEFORE}"), "a second call finds nothing"


def test_node_agents_are_replaced_only_when_deleted(ambient: Rig) -> None:
    for name in ("istio-cni-node", "ztunnel"):
        workload = ambient.get("DaemonSet", "istio-system", name)
        assert workload["spec"]["updateStrategy"]["type"] == "OnDelete", name
    ambient.ready_pods("istio-system", "k8s-app=istio-cni-node", len(AMBIENT.nodes))
    ambient.ready_pods("istio-system", "app=ztunnel", len(AMBIENT.nodes))


def test_ztunnel_drains_as_long_as_a_node_transaction_waits(ambient: Rig) -> None:
    spec = ambient.get("DaemonSet", "istio-system", "ztunnel")["spec"]["template"]["spec"]
    assert spec["terminationGracePeriodSeconds"] == 30


def test_every_image_of_ambient_is_of_the_hub_that_stays_and_of_the_version(ambient: Rig) -> None:
    """The profile brings a variant of its own, which a pin must name as well."""
    cni = ambient.get("DaemonSet", "istio-system", "istio-cni-node")
    ztunnel = ambient.get("DaemonSet", "istio-system", "ztunnel")
    istiod = ambient.get("Deployment", "istio-system", "istiod")
    assert image(cni, "install-cni") == f"docker.io/istio/install-cni:{NEW}-distroless"
    assert image(ztunnel, "istio-proxy") == f"docker.io/istio/ztunnel:{NEW}", "it has no profile"
    assert image(istiod, "discovery") == f"docker.io/istio/pilot:{NEW}-distroless"


def test_a_pinned_waypoint_keeps_the_build_that_it_runs(ambient: Rig) -> None:
    free = data(injector(ambient), "values")["global"]
    ambient.install("istio", "istiod", NEW, OLD)
    held = data(injector(ambient), "values")["global"]
    assert free["variant"] == held["variant"] == "distroless"
    assert held["proxy"]["image"] == f"docker.io/istio/proxyv2:{OLD}-distroless"


def injector(real: Rig) -> Object:
    return real.get("ConfigMap", "istio-system", "istio-sidecar-injector")


def test_the_profile_is_ambient_in_istiod_and_in_the_cni_agent(ambient: Rig) -> None:
    istiod = ambient.get("Deployment", "istio-system", "istiod")
    assert environment(istiod, "discovery")["PILOT_ENABLE_AMBIENT"] == "true"
    assert ambient.get("ConfigMap", "istio-system", "istio-cni-config")["data"]["AMBIENT_ENABLED"] == "true"


def test_the_product_reads_back_the_agents_versions(ambient: Rig) -> None:
    versions = {(agent.component, agent.version) for agent in ambient.kube.agents()}
    assert {("cni", NEW), ("ztunnel", NEW), ("istiod", NEW)} <= versions
