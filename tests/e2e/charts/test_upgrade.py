"""One minor of upstream's charts to the next, by the adapter: CRDs move, and what is OnDelete stays until deleted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from rollout.model.mesh import DataPlane
from tests.e2e.charts.rig import ISTIO, METALLB, Object, Rig, image, rig, source, until
from tests.unit import subject_sites as sites

pytestmark = pytest.mark.real

SITE = sites.istio(data_plane=DataPlane.AMBIENT, version=ISTIO[0])
GATEWAY = SITE.meshes[0].gateways[0]
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
ADMISSION = "/apis/admissionregistration.k8s.io/v1"
BUNDLE = "cm9vdA=="
WRITTEN = {
    f"{ADMISSION}/validatingwebhookconfigurations/istiod-default-validator": "pilot-discovery",
    f"{ADMISSION}/validatingwebhookconfigurations/istio-validator-istio-system": "pilot-discovery",
    f"{ADMISSION}/mutatingwebhookconfigurations/istio-sidecar-injector": "pilot-discovery",
    f"{ADMISSION}/validatingwebhookconfigurations/metallb-webhook-configuration": "controller",
}
"""Which webhook configuration is written to by which program beside Helm."""

STAYING = {
    "gateway": (GATEWAY.namespace, f"app={GATEWAY.name}", len(SITE.gateway_nodes)),
    "cni": ("istio-system", "k8s-app=istio-cni-node", len(SITE.nodes)),
    "ztunnel": ("istio-system", "app=ztunnel", len(SITE.nodes)),
    "speaker": ("metallb-system", "app.kubernetes.io/component=speaker", len(SITE.nodes)),
}


class Upgrade:
    """What was there before the charts moved, and the cluster after it."""

    def __init__(self, real: Rig) -> None:
        self.real = real
        self._install(0)
        self.pods = {name: real.ready_pods(*where) for name, where in STAYING.items()}
        self.crds, self.pools = crds(real), pools(real)
        self.istiods = real.ready_pods("istio-system", "app=istiod", 2)
        as_controllers_write(real)
        self._install(1)

    def _install(self, which: int) -> None:
        for subject, versions in (("metallb", METALLB), ("istio", ISTIO)):
            role = self.real.role(subject)
            self.real.install_all(subject, versions[which])
            for part in role.parts():
                self.real.kube.apply(role.objects(part))


@pytest.fixture(scope="module", params=["4", "3"], ids=["helm 4", "helm 3"])
def upgrade(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Upgrade]:
    with rig(tmp_path_factory.mktemp("upgrade"), SITE, major=request.param) as real:
        yield Upgrade(real)


def test_every_release_is_at_its_second_revision_and_the_new_version(upgrade: Upgrade) -> None:
    found = {state.release: (state.version, state.status) for state in upgrade.real.charts.releases()}
    istio = {step.release for step in upgrade.real.steps("istio")}
    assert found == {
        **dict.fromkeys(istio, (ISTIO[1], "deployed")),
        "metallb": (METALLB[1], "deployed"),
    }


def test_crds_are_upgraded_in_place_and_none_is_made_anew(upgrade: Upgrade) -> None:
    """Whatever upstream changed in a CRD's spec has reached the API server; a UID that changed would be lost data."""
    after = crds(upgrade.real)
    assert upgrade.crds.keys() <= after.keys()
    assert {name: after[name]["metadata"]["uid"] for name in upgrade.crds} == {
        name: found["metadata"]["uid"] for name, found in upgrade.crds.items()
    }
    changed = changed_upstream()
    assert changed, "the two versions differ in no CRD: this test would prove nothing"
    for name, properties in changed.items():
        assert generation(after[name]) > generation(upgrade.crds[name]), name
        assert schemas(after[name]) == properties, name


def test_metallbs_crds_move_and_the_sites_pools_and_peers_are_the_same_objects(upgrade: Upgrade) -> None:
    after = {name: crd for name, crd in crds(upgrade.real).items() if name.endswith("metallb.io")}
    moved = [name for name in after if name not in upgrade.crds or generation(after[name]) > 1]
    assert "bgppeers.metallb.io" in moved
    assert upgrade.pools
    assert pools(upgrade.real) == upgrade.pools


def test_crds_carry_the_new_charts_label(upgrade: Upgrade) -> None:
    labels = {
        found["metadata"]["labels"].get("helm.sh/chart")
        for name, found in crds(upgrade.real).items()
        if name.endswith("istio.io")
    }
    assert labels == {f"base-{ISTIO[1]}"}


@pytest.mark.parametrize("name", sorted(STAYING))
def test_what_is_on_delete_is_not_rolled_by_the_charts_upgrade(upgrade: Upgrade, name: str) -> None:
    """istiod's new pods are awaited first, so that controllers had the time to do the wrong thing."""
    until(lambda: replaced(upgrade), "istiods that are both new")
    assert upgrade.real.ready_pods(*STAYING[name]) == upgrade.pods[name]


def test_the_template_of_what_stayed_is_the_new_one(upgrade: Upgrade) -> None:
    real = upgrade.real
    templates = {
        "gateway": real.get("DaemonSet", GATEWAY.namespace, GATEWAY.name),
        "cni": real.get("DaemonSet", "istio-system", "istio-cni-node"),
        "ztunnel": real.get("DaemonSet", "istio-system", "ztunnel"),
    }
    for chart, workload in templates.items():
        assert workload["spec"]["updateStrategy"]["type"] == "OnDelete", chart
        labels = workload["spec"]["template"]["metadata"]["labels"]
        assert labels["helm.sh/chart"] == f"{chart}-{ISTIO[1]}"
    speaker = real.get("DaemonSet", "metallb-system", "metallb-speaker")
    assert image(speaker, "speaker").endswith(f":v{METALLB[1]}")


def test_a_gateway_that_is_evicted_comes_back_new_and_the_others_stay(upgrade: Upgrade) -> None:
    real, (namespace, selector, count) = upgrade.real, STAYING["gateway"]
    before = real.pods(namespace, selector)
    first = next(iter(before.values()))["metadata"]["name"]
    assert real.kube.evict(namespace, first)
    until(lambda: first not in names(real.pods(namespace, selector)), "the evicted gateway gone")
    after = real.ready_pods(namespace, selector, count)
    (came,) = after - before.keys()
    assert len(after & before.keys()) == count - 1
    labels = real.pods(namespace, selector)[came]["metadata"]["labels"]
    assert labels["helm.sh/chart"] == f"gateway-{ISTIO[1]}"


def test_what_controllers_wrote_into_their_webhooks_survives_the_upgrade(upgrade: Upgrade) -> None:
    """istiod closes its validators, and both fill in a CA bundle; Helm 4 applies server-side and could conflict."""
    for path in WRITTEN:
        for webhook in upgrade.real.api.get(path)["webhooks"]:
            assert webhook["clientConfig"]["caBundle"] == BUNDLE, path
            assert webhook["failurePolicy"] == "Fail", path


def as_controllers_write(real: Rig) -> None:
    """As istiod and MetalLB's controller do once they serve: an update of their own, under their own names."""
    for path, writer in WRITTEN.items():
        found = real.api.get(path)
        for webhook in found["webhooks"]:
            webhook["clientConfig"]["caBundle"] = BUNDLE
            webhook["failurePolicy"] = "Fail"
        real.api.request("PUT", path, query={"fieldManager": writer}, body=found)


def replaced(upgrade: Upgrade) -> bool:
    found = upgrade.real.pods("istio-system", "app=istiod")
    return len(found) == 2 and not found.keys() & upgrade.istiods


def names(pods: dict[str, Object]) -> set[str]:
    return {pod["metadata"]["name"] for pod in pods.values()}


def crds(real: Rig) -> dict[str, Object]:
    found = real.api.get(CRDS)["items"]
    return {item["metadata"]["name"]: item for item in found}


def pools(real: Rig) -> dict[str, str]:
    """What the site's own objects of MetalLB are called, by UID."""
    kinds = ("v1beta1/ipaddresspools", "v1beta2/bgppeers", "v1beta1/bgpadvertisements", "v1beta1/bfdprofiles")
    found = [item for kind in kinds for item in real.api.get(f"/apis/metallb.io/{kind}")["items"]]
    return {item["metadata"]["uid"]: item["metadata"]["name"] for item in found}


def generation(crd: Object) -> int:
    return int(crd["metadata"]["generation"])


def schemas(crd: Object) -> dict[str, object]:
    return {version["name"]: version["schema"] for version in crd["spec"]["versions"]}


def changed_upstream() -> dict[str, dict[str, object]]:
    """CRDs of Istio's whose schemas differ between the two charts, with the newer chart's."""
    before, after = (
        {item["metadata"]["name"]: schemas(item) for item in yaml.safe_load_all(crd_file(version)) if item}
        for version in ISTIO
    )
    return {name: after[name] for name in before.keys() & after.keys() if before[name] != after[name]}


def crd_file(version: str) -> str:
    return (Path(source("istio", version).location) / "base" / "files" / "crd-all.gen.yaml").read_text()
