"""What upstream's webhooks hold back while nobody answers them, which is so on every cluster for a moment.

Every node of this cluster is cordoned: DaemonSets' pods run, Deployments' do not, and so each webhook's service has no
endpoint. The API server then refuses by itself and dials nobody: a pod's address is KWOK's invention.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from rollout.errors import StepFailed, Unreachable
from rollout.model.role import Json
from tests.e2e.charts.rig import ISTIO, METALLB, Object, Rig, rig, until
from tests.unit.sites import site

pytestmark = pytest.mark.real

SITE = site((1, 1), workers=0)
GATEWAY = SITE.meshes[0].gateways[0]
ADMISSION = "/apis/admissionregistration.k8s.io/v1"
INJECTOR = f"{ADMISSION}/mutatingwebhookconfigurations/istio-sidecar-injector"
VALIDATOR = f"{ADMISSION}/validatingwebhookconfigurations/istio-validator-istio-system"
OUTSIDE: Json = {
    "apiVersion": "networking.istio.io/v1",
    "kind": "ServiceEntry",
    "metadata": {"name": "outside", "namespace": "default"},
    "spec": {"hosts": ["outside.example"], "resolution": "NONE"},
}


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with rig(tmp_path_factory.mktemp("webhooks"), SITE, webhooks=True) as made:
        for node in SITE.nodes:
            made.kube.cordon(node.name, "test")
        made.install_all("metallb", METALLB[-1])
        made.install_all("istio", ISTIO[-1])
        yield made


def test_metallbs_pools_wait_for_its_webhook_and_the_adapter_says_so(real: Rig) -> None:
    """Not a refusal: the engine takes it for "not yet" and looks again, as after every fresh install."""
    with pytest.raises(Unreachable, match=r'cannot ask a webhook: .*failed calling webhook "bfdprofile'):
        real.kube.apply(real.role("metallb").objects("pools"))


def test_no_gateway_pod_starts_without_its_injector(real: Rig) -> None:
    """By the pod's own label, whatever its namespace's: a gateway before istiod never becomes a proxy."""
    until(lambda: bool(complaints(real)), "an event of the DaemonSet's controller")
    assert all('"object.sidecar-injector.istio.io"' in words for words in complaints(real))
    assert real.pods(GATEWAY.namespace, f"app={GATEWAY.name}") == {}


def test_istios_configuration_is_open_until_istiod_serves(real: Rig) -> None:
    assert [hook["failurePolicy"] for hook in real.api.get(VALIDATOR)["webhooks"]] == ["Ignore"]
    real.kube.apply([OUTSIDE])


def test_an_open_injector_lets_gateways_start_and_helm_4_then_names_who_opened_it(real: Rig) -> None:
    """The test's way past a webhook that nobody answers, and what such a way costs: an operator's, too."""
    opened(real)
    until(lambda: len(real.pods(GATEWAY.namespace, f"app={GATEWAY.name}")) == 2, "gateway pods")
    with pytest.raises(StepFailed, match=r'conflict.* with "by-hand"') as caught:
        real.install("istio", "istiod", ISTIO[-1], ISTIO[0])
    assert "failurePolicy" in caught.value.message
    assert "take that back" in caught.value.hint


def complaints(real: Rig) -> list[str]:
    found = real.api.get(f"/api/v1/namespaces/{GATEWAY.namespace}/events")["items"]
    return [str(event["message"]) for event in found if event["reason"] == "FailedCreate"]


def opened(real: Rig) -> Object:
    webhooks = range(len(real.api.get(INJECTOR)["webhooks"]))
    patch = [{"op": "replace", "path": f"/webhooks/{i}/failurePolicy", "value": "Ignore"} for i in webhooks]
    return real.api.request(
        "PATCH",
        INJECTOR,
        query={"fieldManager": "by-hand"},
        body=patch,
        content_type="application/json-patch+json",
    )
