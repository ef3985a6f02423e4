"""Cilium, Consul, MetalLB's notes, and Kubernetes itself: recipes, values, and what they refuse."""

from __future__ import annotations

from dataclasses import replace

import pytest

from roles.cilium.role import CiliumRole
from roles.consul.role import ConsulRole
from roles.kubernetes.role import KubernetesRole
from roles.metallb.role import MetalLbRole
from rollout.cli.world import roles_of
from rollout.engine.observe import observe
from rollout.model.observed import ChartState
from rollout.model.recipe import (
    ChartsStage,
    CleanupStage,
    CommandOnNode,
    CommandStage,
    NodesStage,
    NoRecipe,
    RecipeStage,
    ReplaceNodeAgents,
    RestartProxies,
    ServersStage,
)
from rollout.model.role import SubjectRole
from rollout.model.site import Site
from rollout.model.step import InstallChart
from rollout.planner.bringup import plan_bringup
from rollout.planner.request import asked
from tests.unit import subject_sites as sites
from tests.unit.fake_rack import FakeRack
from tests.unit.fake_world import world


def cilium(values: str | None = None) -> CiliumRole:
    small = sites.cilium() if values is None else sites.cilium(values)
    return CiliumRole(small, small.mesh("cilium"))


def consul(**changes: object) -> ConsulRole:
    small = sites.consul(**changes)
    return ConsulRole(small, small.mesh("consul"))


def sorts(stages: tuple[RecipeStage, ...]) -> list[type]:
    return [type(stage) for stage in stages]


def test_every_subject_of_a_site_has_a_role_and_kubernetes_always() -> None:
    assert set(roles_of(sites.cilium())) == {"metallb", "kubernetes", "istio", "cilium"}
    for site in (sites.istio(), sites.linkerd(), sites.consul(), sites.kubernetes()):
        for role in roles_of(site).values():
            fits: SubjectRole = role
            assert fits.agents() is not None


def test_ciliums_preflight_passes_and_is_gone_before_anything_moves() -> None:
    stages = cilium().recipe("1.19.7", "1.20.3").stages
    assert sorts(stages) == [ChartsStage, CleanupStage, ChartsStage, NodesStage]
    check, over, chart, nodes = stages
    assert isinstance(check, ChartsStage)
    assert check.components == ("preflight", "preflight-policies")
    assert over == CleanupStage("preflight is over", (("cilium-preflight", "kube-system"),))
    assert isinstance(chart, ChartsStage)
    assert chart.releases == ("cilium",)
    assert isinstance(nodes, NodesStage)
    assert nodes.actions == (ReplaceNodeAgents(("agent", "envoy"), cuts_traffic=True),)


def test_ciliums_preflight_must_stand_wherever_an_agent_does() -> None:
    (check,) = [agent for agent in cilium().agents() if agent.component == "preflight"]
    assert check.beside == "agent"


def test_cilium_goes_back_without_a_preflight() -> None:
    assert sorts(cilium().recipe("1.20.3", "1.19.7").stages) == [ChartsStage, NodesStage]


def test_cilium_keeps_what_the_site_installed_it_with_and_rolls_no_daemonset() -> None:
    role = cilium()
    found = role.values(role.chart("cilium"), "1.20.3")
    assert (found["upgradeCompatibility"], found["ipam"]) == ("1.17", {"mode": "kubernetes"})
    assert found["updateStrategy"] == found["envoy"]["updateStrategy"] == {"type": "OnDelete"}
    assert found["envoy"]["podLabels"] == {"rackroll.io/release": "1.20.3"}
    assert found["operator"]["replicas"] == 2
    check = role.values(role.chart("cilium-preflight"), "1.20.3")
    assert (check["preflight"], check["agent"], check["operator"]["enabled"]) == (
        {"enabled": True},
        False,
        False,
    )


def test_cilium_without_its_upgrade_compatibility_is_refused() -> None:
    with pytest.raises(NoRecipe, match="first installed") as caught:
        cilium("{}").recipe("1.19.7", "1.20.3")
    assert caught.value.rule == "PLAN-VALUES-01"
    assert "upgradeCompatibility" in caught.value.fix


def test_envoy_inside_the_agent_is_no_agent_of_its_own() -> None:
    role = cilium('{"upgradeCompatibility": "1.17", "envoy": {"enabled": false}}')
    assert "envoy" not in {agent.component for agent in role.agents()}
    nodes = role.recipe("1.19.7", "1.20.3").stages[-1]
    assert isinstance(nodes, NodesStage)
    assert nodes.actions == (ReplaceNodeAgents(("agent",)),)


def test_consul_backs_up_then_moves_servers_by_partition_then_lets_the_dataplanes_go() -> None:
    stages = consul().recipe("1.21.9", "1.22.3").stages
    assert sorts(stages) == [CommandStage, ChartsStage, ServersStage, ChartsStage, NodesStage]
    backup, chart, servers, control, nodes = stages
    assert isinstance(backup, CommandStage)
    assert (backup.hosts, backup.argv[:2]) == (("local",), ("consul", "snapshot"))
    assert isinstance(chart, ChartsStage)
    assert (chart.pin, chart.components) == (True, ())
    assert servers == ServersStage("servers", "server", "consul", "consul-server", 3)
    assert isinstance(control, ChartsStage)
    assert (control.pin, control.components) == (False, ("control-plane",))
    assert isinstance(nodes, NodesStage)
    assert nodes.actions == (RestartProxies("dataplane"),)


@pytest.mark.parametrize(
    ("changes", "before", "after", "rule", "words"),
    [
        ({"backup": ()}, "1.21.9", "1.22.3", "PLAN-BACKUP-01", "no backup command"),
        ({}, "1.22.3", "1.21.9", "PLAN-BACK-01", "do not go back"),
        ({}, "1.21.9", "1.22.9", "PLAN-CHART-02", "1.22.3 in chart 1.9.3"),
        ({"releases": ()}, "1.21.9", "1.22.3", "PLAN-CHART-02", "has: none"),
    ],
)
def test_what_consul_refuses(
    changes: dict[str, object], before: str, after: str, rule: str, words: str
) -> None:
    with pytest.raises(NoRecipe, match=words) as caught:
        consul(**changes).recipe(before, after)
    assert caught.value.rule == rule
    assert caught.value.fix


def test_consuls_three_numbers_follow_from_one() -> None:
    role = consul()
    step = role.chart("consul")
    assert (role.chart_version(step, "1.22.3"), role.carried(step, "1.9.3")) == ("1.9.3", "1.22.3")
    assert [role.component_version(c, "1.22.3") for c in ("server", "control-plane", "dataplane")] == [
        "1.22.3",
        "1.9.3",
        "1.9.4",
    ]
    assert role.component_version("dataplane", "1.21.9") == "1.8.9", (
        "like the chart where the site says no more"
    )


def test_a_consul_chart_that_no_release_names_reads_as_no_version() -> None:
    state = ChartState("consul", "consul", "consul", "1.7.2", "deployed", 1)
    assert consul().installed_version([state]) == "chart-1.7.2"
    assert consul().component_version("dataplane", "chart-1.7.2") == "chart-1.7.2"


def test_a_consul_chart_names_every_image_and_restarts_no_server() -> None:
    role = consul()
    found = role.values(role.chart("consul"), "1.22.3", "1.21.9")
    assert found["global"]["image"] == "hashicorp/consul:1.22.3"
    assert found["global"]["imageK8S"] == "hashicorp/consul-k8s-control-plane:1.9.3"
    assert found["global"]["imageConsulDataplane"] == "hashicorp/consul-dataplane:1.8.9", "held at the old"
    assert found["server"]["updatePartition"] == found["server"]["replicas"] == 3
    free = role.values(role.chart("consul"), "1.22.3")
    assert free["global"]["imageConsulDataplane"] == "hashicorp/consul-dataplane:1.9.4"
    assert free["server"]["updatePartition"] == 3


def test_metallb_tells_of_its_metrics_only_across_the_line_that_moved_them() -> None:
    role = MetalLbRole(sites.istio())
    assert "9120" in role.recipe("0.15.3", "0.16.1").notes[0]
    assert role.recipe("0.16.1", "0.15.3").notes
    assert role.recipe("0.16.0", "0.16.1").notes == ()
    assert role.recipe("0.14.9", "0.15.3").notes == ()


def test_kubernetes_is_moved_by_the_sites_commands_api_servers_first_and_kubelets_on_drained_nodes() -> None:
    recipe = KubernetesRole(sites.kubernetes()).recipe("1.35.4", "1.36.1")
    control, nodes = recipe.stages
    assert isinstance(control, CommandStage)
    assert (control.hosts, control.component) == (("cp1", "cp2"), "apiserver")
    assert control.argv == ("kubeadm", "upgrade", "apply", "v1.36.1", "--yes")
    assert isinstance(nodes, NodesStage)
    assert nodes.actions == (CommandOnNode("kubelet to 1.36.1", ("upgrade-node", "1.36.1"), "kubelet"),)


def test_kubernetes_without_commands_is_a_constraint_only_and_says_which_keys_would_change_that() -> None:
    with pytest.raises(NoRecipe, match="only a constraint") as caught:
        KubernetesRole(sites.istio()).recipe("1.35.4", "1.36.1")
    assert caught.value.rule == "PLAN-CONSTRAINT-01"
    for key in ("kubernetes.controlPlane", "kubernetes.upgradeControlPlane", "kubernetes.upgradeNode"):
        assert key in caught.value.fix


def test_kubernetes_does_not_go_back() -> None:
    with pytest.raises(NoRecipe) as caught:
        KubernetesRole(sites.kubernetes()).recipe("1.36.1", "1.35.4")
    assert caught.value.rule == "PLAN-BACK-01"


def test_kubernetes_has_nothing_for_helm() -> None:
    role = KubernetesRole(sites.kubernetes())
    assert (role.charts(), role.parts(), role.installed_version([])) == ((), (), None)
    with pytest.raises(KeyError, match="not installed by charts"):
        role.chart("kubernetes")


@pytest.mark.parametrize("site", [sites.istio(), sites.linkerd(), sites.cilium(), sites.consul()])
def test_no_role_answers_for_a_chart_that_is_not_its_own(site: Site) -> None:
    for name, role in roles_of(site).items():
        for step in role.charts():
            with pytest.raises(KeyError):
                role.values(replace(step, chart="nginx"), "1.2.3")
            break
        if name not in ("metallb",):
            with pytest.raises(KeyError):
                role.objects("nothing")


def test_consuls_gateways_are_asked_for_with_their_address_once_consul_is_there() -> None:
    role = consul()
    assert role.parts() == ("gateways",)
    namespace, gateway = role.objects("gateways")
    assert namespace["metadata"]["name"] == gateway["metadata"]["namespace"] == "consul-ingress"
    assert gateway["metadata"]["annotations"]["metallb.io/loadBalancerIPs"] == "203.0.113.1"
    assert gateway["spec"]["listeners"][0]["port"] == 443
    copied = role.values(role.chart("consul"), "1.22.3")["connectInject"]["apiGateway"]["managedGatewayClass"]
    assert "- metallb.io/loadBalancerIPs\n" in copied["copyAnnotations"]["service"]["annotations"]
    assert consul(gateways=()).parts() == ()


def test_a_network_comes_up_before_anything_that_needs_pods() -> None:
    small = sites.cilium()
    live = world(FakeRack(small, kubernetes="1.34.2"))
    plan = plan_bringup(asked(small, observe(live), live.roles))
    installed = [
        step.effect.release for _, _, _, step in plan.numbered() if isinstance(step.effect, InstallChart)
    ]
    assert installed == ["cilium", "metallb", "istio-base", "istiod", "ingress-1"]
