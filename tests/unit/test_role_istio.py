"""What the istio role tells the engine, as golden values of the lab's site file."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from roles.istio.role import IstioRole
from rollout.model.observed import ChartState
from rollout.model.role import Json, SubjectRole
from rollout.model.site import Site
from rollout.site.load import load_site

LAB = Path(__file__).resolve().parents[2] / "inventory" / "lab"


@pytest.fixture(scope="module")
def site() -> Site:
    return load_site(LAB)


@pytest.fixture(scope="module")
def role(site: Site) -> IstioRole:
    return IstioRole(site, site.mesh("istio"))


def values(role: IstioRole, chart: str, version: str = "1.31.1") -> Json:
    step = next(step for step in role.charts() if step.chart == chart)
    return role.values(step, version)


def test_the_role_fits_the_engines_protocol(role: IstioRole) -> None:
    fits: SubjectRole = role
    assert fits.name == "istio"
    assert fits.control_plane() == ("istio-system", "istiod")


def test_a_gateway_can_be_told_to_let_go_of_kept_alive_connections_and_to_serve_again(
    role: IstioRole,
) -> None:
    """Without a command a drain would wait, drain nothing and say nothing."""
    found = role.proxies()
    assert found.fail_health == ("pilot-agent", "request", "POST", "healthcheck/fail")
    assert found.pass_health == ("pilot-agent", "request", "POST", "healthcheck/ok")


def test_crds_come_before_the_control_plane_and_gateways_last(role: IstioRole) -> None:
    assert [(s.stage, s.release, s.namespace, s.chart) for s in role.charts()] == [
        ("control-plane", "istio-base", "istio-system", "base"),
        ("control-plane", "istiod", "istio-system", "istiod"),
        ("gateways", "istio-ingress", "istio-ingress", "gateway"),
    ]


def test_the_control_plane_is_pinned_to_a_hub_that_outlives_2026_and_to_the_version(role: IstioRole) -> None:
    assert values(role, "istiod") == {
        "autoscaleMin": 2,
        "global": {"hub": "docker.io/istio", "istioNamespace": "istio-system", "tag": "1.31.1"},
        "meshConfig": {
            "trustDomain": "cluster.local",
            "defaultConfig": {"proxyMetadata": {"PROXY_CONFIG_XDS_AGENT": "true"}},
        },
        "env": {"ISTIO_MULTIROOT_MESH": "true"},
    }
    assert values(role, "base") == {"global": {"istioNamespace": "istio-system"}}


def test_gateway_values_keep_n_minus_1(role: IstioRole) -> None:
    assert values(role, "gateway") == {
        "kind": "DaemonSet",
        "autoscaling": {"enabled": True, "minReplicas": 2},
        "nodeSelector": {"rackroll.io/gateway": "true"},
        "podDisruptionBudget": {"minAvailable": 3},
        "terminationGracePeriodSeconds": 32,
        "podAnnotations": {"proxy.istio.io/config": '{"terminationDrainDuration": "2s"}'},
        "service": {
            "type": "LoadBalancer",
            "externalTrafficPolicy": "Local",
            "annotations": {
                "metallb.io/address-pool": "gateways",
                "metallb.io/loadBalancerIPs": "203.0.113.1",
            },
            "ipFamilyPolicy": "SingleStack",
            "ipFamilies": ["IPv4"],
            "ports": [{"name": "http2", "port": 80, "protocol": "TCP", "targetPort": 80}],
        },
    }


def test_gateway_values_do_not_depend_on_the_version_so_only_the_chart_moves(role: IstioRole) -> None:
    assert values(role, "gateway", "1.30.3") == values(role, "gateway", "1.31.1")


def test_a_drain_is_never_rounded_down(site: Site) -> None:
    slow = replace(site, pacing=replace(site.pacing, drain_wait=timedelta(seconds=60, milliseconds=100)))
    found = values(IstioRole(slow, slow.mesh("istio")), "gateway")
    assert found["podAnnotations"]["proxy.istio.io/config"] == '{"terminationDrainDuration": "61s"}'
    assert found["terminationGracePeriodSeconds"] == 91


def test_the_daemonsets_update_strategy_is_ours_because_values_cannot_set_it(role: IstioRole) -> None:
    assert role.objects("gateways-update-strategy") == (
        {
            "apiVersion": "apps/v1",
            "kind": "DaemonSet",
            "metadata": {"name": "istio-ingress", "namespace": "istio-ingress"},
            "spec": {"updateStrategy": {"type": "OnDelete"}},
        },
    )


def test_the_meshs_namespaces_ask_for_injection(role: IstioRole) -> None:
    (shop,) = role.objects("namespaces")
    assert shop["metadata"] == {"name": "shop", "labels": {"istio-injection": "enabled"}}


def test_parts_that_need_the_gateways_charts_say_so_by_their_name(role: IstioRole) -> None:
    assert role.parts() == ("namespaces", "gateways-update-strategy")


def test_the_installed_version_is_the_control_planes(role: IstioRole) -> None:
    charts = [
        ChartState("istio-base", "istio-system", "base", "1.31.1", "deployed", 2),
        ChartState("istiod", "istio-system", "istiod", "1.30.3", "deployed", 1),
    ]
    assert role.installed_version(charts) == "1.30.3"
    assert role.installed_version(charts[:1]) is None


def test_a_chart_or_part_that_is_not_the_meshs_is_refused(role: IstioRole) -> None:
    with pytest.raises(KeyError, match="cni"):
        role.values(replace(role.charts()[0], chart="cni"), "1.31.1")
    with pytest.raises(KeyError, match="pools"):
        role.objects("pools")
