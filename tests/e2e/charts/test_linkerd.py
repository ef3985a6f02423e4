"""Linkerd's values on upstream's charts, for those who have the charts: nothing that this project builds from has them.

RACKROLL_LINKERD_CHARTS names upstream's ``charts`` folder, with ``partials`` copied into ``linkerd-*/charts``.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial

import pytest

from rollout.cli.world import roles_of
from tests.e2e.charts.rig import LINKERD, Rig, environment, image, rig, until
from tests.e2e.charts.test_keys import all_values, folder, known, paths
from tests.unit import subject_sites as sites

pytestmark = pytest.mark.real

if LINKERD not in os.environ:
    pytest.skip(f"{LINKERD} names no folder of Linkerd's charts", allow_module_level=True)

OLD, NEW = "edge-26.8.2", "edge-26.8.3"
SITE = sites.linkerd(NEW)
CONTROLLERS = {
    "linkerd-destination": "linkerd-dst",
    "linkerd-identity": "linkerd-identity",
    "linkerd-proxy-injector": "linkerd-proxy-injector",
}
"""Each Deployment with its PodDisruptionBudget."""

ADMISSION = "/apis/admissionregistration.k8s.io/v1"


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with rig(tmp_path_factory.mktemp("linkerd"), SITE) as made:
        made.install_all("linkerd", NEW)
        yield made


def test_every_key_that_the_role_sets_is_known_to_the_chart() -> None:
    role = roles_of(SITE)["linkerd"]
    unknown = {
        f"{step.chart}: {'.'.join(path)}"
        for step in role.charts()
        for values in all_values(role, step.release, NEW)
        for path in paths(values)
        if not known(folder("linkerd", step.chart, NEW), path, values)
    }
    assert not unknown


def test_each_controller_runs_three_times_on_nodes_of_its_own_and_one_may_go(real: Rig) -> None:
    for name in CONTROLLERS:
        until(partial(lets_one_go, real, CONTROLLERS[name]), f"a budget that lets one {name} go")
        workload = real.get("Deployment", "linkerd", name)["spec"]
        assert workload["replicas"] == 3
        assert workload["strategy"]["rollingUpdate"] == {"maxUnavailable": 1, "maxSurge": "25%"}
        affinity = workload["template"]["spec"]["affinity"]["podAntiAffinity"]
        hard = affinity["requiredDuringSchedulingIgnoredDuringExecution"]
        assert [term["topologyKey"] for term in hard] == ["kubernetes.io/hostname"]


def test_a_pod_never_starts_outside_the_mesh(real: Rig) -> None:
    found = real.api.get(f"{ADMISSION}/mutatingwebhookconfigurations/linkerd-proxy-injector-webhook-config")
    assert {webhook["failurePolicy"] for webhook in found["webhooks"]} == {"Fail"}


def test_no_key_of_the_mesh_is_in_helms_hands(real: Rig) -> None:
    assert not real.there("ConfigMap", "linkerd", "linkerd-identity-trust-roots")
    assert not real.there("Secret", "linkerd", "linkerd-identity-issuer")


def test_gateway_api_is_not_linkerds(real: Rig) -> None:
    crds = real.api.get("/apis/apiextensions.k8s.io/v1/customresourcedefinitions")["items"]
    groups = {crd["spec"]["group"] for crd in crds}
    assert "gateway.networking.k8s.io" not in groups
    assert "policy.linkerd.io" in groups


def test_the_chart_is_numbered_as_the_role_says_and_carries_the_release(real: Rig) -> None:
    found = {state.release: state.version for state in real.charts.releases()}
    assert found == {"linkerd-crds": "2026.8.3", "linkerd-control-plane": "2026.8.3"}
    assert real.role("linkerd").installed_version(real.charts.releases()) == NEW
    identity = real.get("Deployment", "linkerd", "linkerd-identity")
    assert image(identity, "identity").endswith(f":{NEW}")
    assert environment(identity, "linkerd-proxy"), "the control plane carries proxies of its own"


def test_a_pin_holds_the_proxy_and_not_the_control_plane(real: Rig) -> None:
    real.install("linkerd", "linkerd-control-plane", NEW, OLD)
    identity = real.get("Deployment", "linkerd", "linkerd-identity")
    assert image(identity, "identity").endswith(f":{NEW}")
    assert image(identity, "linkerd-proxy").endswith(f"/proxy:{OLD}")
    values = real.get("ConfigMap", "linkerd", "linkerd-config")["data"]["values"]
    assert f"version: {OLD}" in values
    real.install("linkerd", "linkerd-control-plane", NEW)
    assert image(real.get("Deployment", "linkerd", "linkerd-identity"), "linkerd-proxy").endswith(f":{NEW}")


def lets_one_go(real: Rig, budget: str) -> bool:
    status = real.get("PodDisruptionBudget", "linkerd", budget).get("status", {})
    return bool(status.get("disruptionsAllowed") == 1)
