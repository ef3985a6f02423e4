"""Istio's three ways: what each recipe does in which order, on the way up and back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from roles.istio.ambient import AmbientRole
from roles.istio.revision import RevisionRole
from roles.istio.role import IstioRole, istio_role
from rollout.model.mesh import ChartValues
from rollout.model.observed import ChartState
from rollout.model.recipe import (
    ChartsStage,
    CleanupStage,
    NodesStage,
    Recipe,
    ReplaceNodeAgents,
    RestartProxies,
)
from rollout.model.role import Json, SubjectRole
from rollout.model.site import Site
from tests.unit import subject_sites as sites


def role_of(site: Site) -> IstioRole | RevisionRole | AmbientRole:
    return istio_role(site, site.mesh("istio"))


def order(recipe: Recipe) -> list[str]:
    """One word per stage: charts with what new proxies get, components that move on nodes, releases removed."""
    return [_word(stage) for stage in recipe.stages]


def _word(stage: object) -> str:
    match stage:
        case ChartsStage(releases=(), parts=parts):
            return f"apply {' '.join(parts)}"
        case ChartsStage(releases=releases, pin=pin, stays=stays):
            return " ".join(releases) + (" (hold, stay)" if stays else " (hold)" if pin else "")
        case NodesStage(actions=actions):
            return "nodes: " + " ".join(_action(action) for action in actions)
        case CleanupStage(releases=releases):
            return "remove " + " ".join(name for name, _ in releases)
    raise AssertionError(stage)


def _action(action: object) -> str:
    match action:
        case RestartProxies(component=component):
            return component
        case ReplaceNodeAgents(components=components):
            return " then ".join(components)
    raise AssertionError(action)


def values(role: SubjectRole, release: str, version: str = "1.31.1", data_plane: str | None = None) -> Json:
    return role.values(role.chart(release), version, data_plane)


@pytest.mark.parametrize(
    ("site", "kind"),
    [(sites.istio(), "istio"), (sites.by_revision(), "istio"), (sites.ambient(), "istio-ambient")],
)
def test_every_way_fits_the_engines_protocol(site: Site, kind: str) -> None:
    role: SubjectRole = role_of(site)
    assert (role.name, role.kind) == ("istio", kind)


def test_in_place_proxies_are_held_until_the_walk_and_gateway_charts_come_between() -> None:
    recipe = role_of(sites.istio()).recipe("1.30.3", "1.31.1")
    assert recipe.method == "in-place"
    assert order(recipe) == ["istio-base", "istiod (hold)", "ingress-1", "istiod", "nodes: proxy"]


def test_in_place_the_way_back_moves_the_data_plane_first_and_leaves_the_crds() -> None:
    recipe = role_of(sites.istio()).recipe("1.31.1", "1.30.3")
    assert order(recipe) == ["istiod (hold, stay)", "ingress-1", "nodes: proxy", "istiod"]


def test_the_pin_is_a_full_image_reference_for_the_proxy_and_its_init_container() -> None:
    held = values(role_of(sites.istio()), "istiod", data_plane="1.30.3")["global"]
    image = {"image": "docker.io/istio/proxyv2:1.30.3"}
    assert (held["tag"], held["proxy"], held["proxy_init"]) == ("1.31.1", image, image)
    free = values(role_of(sites.istio()), "istiod")["global"]
    assert {"proxy", "proxy_init"} & free.keys() == set()


@pytest.mark.parametrize(
    ("site", "own", "suffix"),
    [
        (sites.ambient(), "{}", "-distroless"),
        (sites.ambient(), '{"global": {"variant": "debug"}}', "-debug"),
        (sites.istio(), '{"global": {"variant": "distroless"}}', "-distroless"),
        (
            sites.istio(),
            '{"global": {"variant": "debug", "proxy": {"variant": "distroless"}}}',
            "-distroless",
        ),
        (sites.ambient(), '{"meshConfig": {"defaultConfig": {"image": {"imageType": "default"}}}}', ""),
    ],
)
def test_the_pin_is_of_the_same_build_as_the_proxies_it_holds(site: Site, own: str, suffix: str) -> None:
    """Another image of the same version would roll every waypoint, and change what an early restart gets."""
    mesh = replace(site.meshes[0], values=(ChartValues("istiod", own),))
    held = values(role_of(replace(site, meshes=(mesh,))), "istiod", data_plane="1.30.3")["global"]
    assert held["proxy"]["image"] == held["proxy_init"]["image"] == f"docker.io/istio/proxyv2:1.30.3{suffix}"


def test_gateway_charts_are_made_sure_to_roll_nothing_before_they_move() -> None:
    stages = role_of(sites.istio()).recipe("1.30.3", "1.31.1").stages
    (charts,) = [s for s in stages if isinstance(s, ChartsStage) and s.releases == ("ingress-1",)]
    assert charts.parts_before == ("gateways-update-strategy",)


def test_a_mesh_without_gateways_has_no_gateway_charts() -> None:
    assert order(role_of(sites.istio(gateways=())).recipe("1.30.3", "1.31.1")) == [
        "istio-base",
        "istiod (hold)",
        "istiod",
        "nodes: proxy",
    ]


def test_by_revision_the_second_istiod_stands_before_the_tag_moves_and_the_first_goes_last() -> None:
    recipe = role_of(sites.by_revision()).recipe("1.29.2", "1.31.1")
    assert recipe.method == "revision"
    assert order(recipe) == [
        "istio-base",
        "istiod-1-31-1",
        "apply tag-1-31-1 namespaces",
        "ingress-1",
        "nodes: proxy",
        "apply validator-1-31-1",
        "remove istiod-1-29-2",
    ]
    assert any("namespace, not the rack" in note for note in recipe.notes)


def test_by_revision_the_way_back_is_the_same_way_without_the_crds() -> None:
    assert order(role_of(sites.by_revision()).recipe("1.31.1", "1.30.3")) == [
        "istiod-1-30-3",
        "apply tag-1-30-3 namespaces",
        "ingress-1",
        "nodes: proxy",
        "apply validator-1-30-3",
        "remove istiod-1-31-1",
    ]


def test_by_revision_the_living_control_plane_is_never_removed() -> None:
    stages = role_of(sites.by_revision()).recipe("1.31.1", "1.31.1").stages
    assert [s.releases for s in stages if isinstance(s, CleanupStage)] == [()]


def test_namespaces_and_gateways_name_the_tag_and_no_revision() -> None:
    role = role_of(sites.by_revision())
    (shop,) = role.objects("namespaces")
    assert shop["metadata"]["labels"] == {"istio.io/rev": "prod"}
    assert values(role, "ingress-1")["revision"] == "prod"
    assert values(role, "istiod-1-31-1")["revision"] == "1-31-1"
    assert values(role, "istio-base")["defaultRevision"] == ""


def test_the_tag_is_a_webhook_that_sends_its_namespaces_to_one_revision() -> None:
    (old,), (new,) = (role_of(sites.by_revision()).objects(f"tag-{r}") for r in ("1-30-3", "1-31-1"))
    assert old["metadata"]["name"] == new["metadata"]["name"] == "istio-revision-tag-prod"
    assert new["metadata"]["labels"]["istio.io/rev"] == "1-31-1"
    by_namespace, by_pod = new["webhooks"]
    assert {w["clientConfig"]["service"]["name"] for w in new["webhooks"]} == {"istiod-1-31-1"}
    assert all("caBundle" not in w["clientConfig"] for w in new["webhooks"]), (
        "istiod's own, kept while the tag moves"
    )
    named = {"key": "istio.io/rev", "operator": "In", "values": ["prod"]}
    assert named in by_namespace["namespaceSelector"]["matchExpressions"]
    assert named in by_pod["objectSelector"]["matchExpressions"]
    assert {w["failurePolicy"] for w in new["webhooks"]} == {"Fail"}


def test_two_control_planes_beside_each_other_are_told_apart() -> None:
    role = role_of(sites.by_revision())
    both = [
        ChartState(f"istiod-{v.replace('.', '-')}", "istio-system", "istiod", v, "deployed", 1)
        for v in ("1.9.1", "1.30.3", "1.31.1")
    ]
    assert role.installed_version(both) == "1.31.1", "by number, not by letter"
    assert role.deployed(both, "1.30.3")
    assert role.deployed(both, "1.31.1")
    assert not role.deployed(both[:2], "1.31.1")
    assert role.control_plane("1.30.3") == ("istio-system", "istiod-1-30-3")
    pending = [replace(both[2], status="pending-install")]
    assert role.installed_version(pending) is None


def test_ambient_moves_cni_before_ztunnel_on_each_node_and_every_ztunnel_before_the_first_gateway() -> None:
    recipe = role_of(sites.ambient()).recipe("1.30.3", "1.31.1")
    assert (recipe.kind, recipe.method) == ("istio-ambient", "any")
    assert order(recipe) == [
        "istio-base",
        "istiod (hold)",
        "istio-cni ztunnel",
        "nodes: cni then ztunnel",
        "ingress-1",
        "istiod",
        "nodes: proxy",
    ]


def test_ambient_goes_back_in_the_opposite_order_with_istiod_last() -> None:
    assert order(role_of(sites.ambient()).recipe("1.31.1", "1.31.0")) == [
        "istiod (hold, stay)",
        "ingress-1",
        "nodes: proxy",
        "istio-cni ztunnel",
        "nodes: ztunnel then cni",
        "istiod",
    ]


def test_ambients_daemonsets_never_roll_by_themselves() -> None:
    role = role_of(sites.ambient())
    assert [s.release for s in role.charts()] == ["istio-base", "istiod", "istio-cni", "ztunnel", "ingress-1"]
    for release in ("istio-cni", "ztunnel"):
        assert values(role, release)["updateStrategy"] == {"type": "OnDelete"}
        assert values(role, release)["global"] == {"hub": "docker.io/istio", "tag": "1.31.1"}
    assert values(role, "istiod")["profile"] == "ambient"
    assert values(role, "ztunnel")["terminationGracePeriodSeconds"] == 30


def test_a_ztunnel_is_an_agent_although_its_container_is_named_like_a_sidecar() -> None:
    role = role_of(sites.ambient())
    agents = {agent.component: agent for agent in role.agents()}
    assert set(agents) == {"istiod", "cni", "ztunnel"}
    assert agents["ztunnel"].container == role.proxies().container


def test_a_sites_own_values_stay_but_not_against_ours() -> None:
    own = ChartValues(
        "istiod", '{"autoscaleMin": 1, "pilot": {"traceSampling": 5}, "global": {"logAsJson": true}}'
    )
    found = values(role_of(sites.istio(values=(own,))), "istiod")
    assert found["autoscaleMin"] == 2
    assert found["pilot"] == {"traceSampling": 5}
    assert (found["global"]["logAsJson"], found["global"]["tag"]) == (True, "1.31.1")
