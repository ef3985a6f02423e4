"""Linkerd's names and chart numbers, its recipe, its values."""

from __future__ import annotations

from dataclasses import replace

import pytest

from roles.linkerd.role import LinkerdRole
from rollout.model.observed import ChartState
from rollout.model.policy import ReleasePin
from rollout.model.recipe import ChartsStage, NoRecipe
from rollout.model.role import SubjectRole
from tests.unit import subject_sites as sites
from tests.unit.test_role_istio_ways import order


def role(
    version: str = "edge-25.10.7", *extensions: str, releases: tuple[ReleasePin, ...] = ()
) -> LinkerdRole:
    small = sites.linkerd(version, *extensions)
    return LinkerdRole(small, replace(small.mesh("linkerd"), releases=releases))


def test_the_role_fits_the_engines_protocol() -> None:
    fits: SubjectRole = role()
    assert (fits.kind, fits.control_plane()) == ("linkerd", ("linkerd", "linkerd-proxy-injector"))


def test_crds_control_plane_extensions_then_workloads_with_proxies_held_until_then() -> None:
    recipe = role("edge-25.10.7", "viz", "multicluster").recipe("edge-25.10.7", "edge-26.6.3")
    assert order(recipe) == [
        "linkerd-crds",
        "linkerd-control-plane (hold)",
        "linkerd-viz linkerd-multicluster",
        "linkerd-control-plane",
        "nodes: proxy",
    ]
    assert "link them again" in recipe.notes[0]


def test_the_way_back_moves_workloads_first_and_leaves_the_crds() -> None:
    assert order(role("edge-26.6.3", "viz").recipe("edge-26.6.3", "edge-26.6.1")) == [
        "linkerd-control-plane (hold, stay)",
        "nodes: proxy",
        "linkerd-viz",
        "linkerd-control-plane",
    ]


def test_the_control_plane_is_awaited_again_once_the_pin_goes_for_its_own_pods_carry_proxies() -> None:
    stages = role().recipe("edge-25.10.7", "edge-26.6.3").stages
    main = [s for s in stages if isinstance(s, ChartsStage) and "linkerd-control-plane" in s.releases]
    assert [s.awaits_control_plane for s in main] == [True, True]


def test_an_edge_is_higher_by_number_and_not_by_letter() -> None:
    assert order(role().recipe("edge-25.4.4", "edge-25.10.7"))[0] == "linkerd-crds"


@pytest.mark.parametrize(
    ("version", "chart"),
    [
        ("edge-26.6.3", "2026.6.3"),
        ("edge-25.10.7", "2025.10.7"),
        ("edge-24.3.1", "2024.3.1"),
        ("enterprise-2.19.4", "2.19.4"),
        ("stable-2.14.10", "1.16.11"),
    ],
)
def test_a_release_and_its_chart_are_one_however_each_is_numbered(version: str, chart: str) -> None:
    site_of = role(version, releases=(ReleasePin("stable-2.14.10", "1.16.11"),))
    step = site_of.chart("linkerd-control-plane")
    assert site_of.chart_version(step, version) == chart
    assert site_of.carried(step, chart) == version
    state = ChartState("linkerd-control-plane", "linkerd", "linkerd-control-plane", chart, "deployed", 3)
    assert site_of.installed_version([state]) == version


@pytest.mark.parametrize("version", ["edge-24.2.4", "stable-2.14.10", "2.14.10"])
def test_a_chart_that_nobody_numbered_alike_is_not_guessed(version: str) -> None:
    with pytest.raises(NoRecipe, match="no chart is known") as caught:
        role().chart_version(role().chart("linkerd-crds"), version)
    assert caught.value.rule == "PLAN-CHART-02"
    assert "releases" in caught.value.fix


def test_edges_and_numbered_releases_have_no_order_between_them() -> None:
    with pytest.raises(NoRecipe) as caught:
        role().recipe("edge-25.10.7", "enterprise-2.19.4")
    assert caught.value.rule == "PLAN-METHOD-01"


def test_the_control_plane_bears_the_loss_of_one_replica_and_holds_no_key() -> None:
    step = role().chart("linkerd-control-plane")
    found = role().values(step, "edge-26.6.3", "edge-25.10.7")
    assert found["linkerdVersion"] == "edge-26.6.3"
    assert found["proxy"] == {"image": {"version": "edge-25.10.7"}}
    assert (found["controllerReplicas"], found["enablePodDisruptionBudget"]) == (3, True)
    assert found["identity"] == {"externalCA": True, "issuer": {"scheme": "kubernetes.io/tls"}}
    assert "proxy" not in role().values(step, "edge-26.6.3")


def test_namespaces_ask_for_injection_by_annotation() -> None:
    (pay,) = role().objects("namespaces")
    assert pay["metadata"] == {"name": "pay", "annotations": {"linkerd.io/inject": "enabled"}}


def test_the_control_planes_own_pods_are_agents_so_that_nobody_takes_them_for_workloads() -> None:
    assert {(a.component, a.container) for a in role().agents()} == {
        ("control-plane", "destination"),
        ("control-plane", "identity"),
        ("control-plane", "proxy-injector"),
    }
    assert role().proxies().container == "linkerd-proxy"
