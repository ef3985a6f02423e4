"""Which pods become the drill's processes, and what the simulated injectors of three meshes put into them."""

from __future__ import annotations

import pytest
import yaml

from lab.kube.admission.linkerd_injection import ANCHORS
from lab.kube.errors import WebhookFailed
from lab.kube.objects import Obj, uid_of
from lab.kube.resource import CONFIG_MAPS, DEPLOYMENTS, NAMESPACES, PDBS, PODS
from lab.mesh.surroundings import Part
from tests.unit.kube_world import World, workload
from tests.unit.mesh_world import NODES, apply, bundle, drill_pods, istiod, linkerd, role, start


@pytest.fixture
def world() -> World:
    return World(NODES)


@pytest.mark.parametrize(
    ("mesh", "proxy", "version"),
    [
        ("istio", "istio-proxy", "1.30.3"),
        ("linkerd", "linkerd-proxy", "edge-26.6.3"),
        ("consul", "consul-dataplane", "1.9.0"),
    ],
)
def test_each_manifest_gives_four_pairs_on_four_nodes_with_the_meshs_proxy(
    world: World, mesh: str, proxy: str, version: str
) -> None:
    start(world, mesh)
    pods = drill_pods(world)
    assert len({pod["spec"]["nodeName"] for pod in pods}) == 4
    for pod in pods:
        found = role(pod)
        assert (found.mesh, found.part, found.version) == (mesh, Part.PAIR, version)
        assert found.real == {"pair", proxy}


def test_one_pair_may_go_at_a_time(world: World) -> None:
    start(world, "consul")
    budget = world.get(PDBS, "pair", "drill")
    assert budget["status"]["disruptionsAllowed"] == 1


def test_istiod_is_a_signer_only_where_certificates_are_plugged_in(world: World) -> None:
    istiod(world)
    (pod,) = world.pods("istiod", "istio-system")
    assert role(pod, cacerts=False) is None
    assert role(pod).part is Part.SIGNER


def test_signers_are_known_by_container_image_and_label(world: World) -> None:
    linkerd(world)
    apply(world, "consul")
    found = {_unhashed(pod): role(pod) for pod in world.store.list(PODS)}
    assert {name: one and one.part for name, one in found.items()} == {
        "linkerd-identity": Part.SIGNER,
        "linkerd-destination": None,
        "linkerd-proxy-injector": Part.VOLUMES,
        "consul-server-0": Part.SIGNER,
        "consul-connect-injector": None,
    }


def test_a_pod_without_a_mesh_and_any_other_pod_stay_pretended() -> None:
    plain = {
        "metadata": {"namespace": "drill"},
        "spec": {"containers": [{"name": "pair", "image": "rackroll-lab/pair:1"}]},
    }
    other = {
        "metadata": {"namespace": "shop"},
        "spec": {"containers": [{"name": "a", "image": "example/pairs:1"}]},
    }
    assert role(plain) is None
    assert role(other) is None


def test_a_linkerd_pod_is_refused_without_an_injector(world: World) -> None:
    world.make(NAMESPACES, {"metadata": {"name": "drill", "annotations": {"linkerd.io/inject": "enabled"}}})
    pod = {
        "metadata": {"name": "p", "namespace": "drill"},
        "spec": {"containers": [{"name": "a", "image": "a:1"}]},
    }
    with pytest.raises(WebhookFailed, match="linkerd-proxy-injector"):
        world.store.create(PODS, pod)


def anchors_of(pod: Obj) -> str:
    proxy = next(c for c in pod["spec"]["containers"] if c["name"] == "linkerd-proxy")
    return str({entry["name"]: entry["value"] for entry in proxy["env"]}[ANCHORS])


def test_a_new_pod_gets_the_bundle_that_its_injector_has_mounted_and_keeps_it(world: World) -> None:
    start(world, "linkerd")
    injectors = world.store.list(
        PODS, "linkerd", label_selector="linkerd.io/control-plane-component=proxy-injector"
    )
    for one in injectors:
        world.store.runtimes.mounts[uid_of(one)] = lambda volume, name: f"{volume}/{name}".encode()
    before = {pod["metadata"]["name"] for pod in drill_pods(world)}
    bundle(world, "TWO")
    world.store.delete(PODS, "drill", min(before))
    world.pass_time()
    (new,) = [pod for pod in drill_pods(world) if pod["metadata"]["name"] not in before]
    assert anchors_of(new) == "trust-roots/ca-bundle.crt"
    assert {anchors_of(pod) for pod in drill_pods(world)} == {"ONE", "trust-roots/ca-bundle.crt"}


def test_where_pods_have_no_files_the_bundle_is_the_apis(world: World) -> None:
    linkerd(world)
    bundle(world, "TWO")
    apply(world, "pairs-linkerd")
    assert {anchors_of(pod) for pod in drill_pods(world)} == {"TWO"}


def test_linkerds_own_pods_get_no_second_proxy(world: World) -> None:
    linkerd(world)
    for pod in world.store.list(PODS, "linkerd"):
        names = [c["name"] for c in pod["spec"]["containers"]]
        assert names.count("linkerd-proxy") == 1


def test_a_sidecars_environment_is_what_mesh_and_pod_say_and_the_pod_wins(world: World) -> None:
    world.make(NAMESPACES, {"metadata": {"name": "istio-system"}})
    mesh = {
        "trustDomain": "rack.example",
        "defaultConfig": {"proxyMetadata": {"PROXY_CONFIG_XDS_AGENT": "false", "X": "1"}},
    }
    meta = {"name": "istio", "namespace": "istio-system"}
    world.make(CONFIG_MAPS, {"metadata": meta, "data": {"mesh": yaml.safe_dump(mesh)}})
    body = workload("Deployment", "istiod", "docker.io/istio/pilot:1.30.3", replicas=1)
    body["metadata"] |= {"namespace": "istio-system", "labels": {"app": "istiod"}}
    world.make(DEPLOYMENTS, body)
    apply(world, "pairs-istio")
    proxy = next(c for c in drill_pods(world)[0]["spec"]["containers"] if c["name"] == "istio-proxy")
    assert {entry["name"]: entry["value"] for entry in proxy["env"]} == {
        "TRUST_DOMAIN": "rack.example",
        "PROXY_CONFIG_XDS_AGENT": "true",
        "X": "1",
    }


def test_a_stateful_pod_names_its_claim(world: World) -> None:
    apply(world, "consul")
    pod = world.get(PODS, "consul-server-0", "consul")
    assert pod["spec"]["volumes"] == [
        {"name": "data-consul", "persistentVolumeClaim": {"claimName": "data-consul-consul-server-0"}}
    ]


def _unhashed(pod: Obj) -> str:
    """A pod's name without what ReplicaSets add to it."""
    name = str(pod["metadata"]["name"])
    return name.rsplit("-", 2)[0] if "pod-template-hash" in pod["metadata"]["labels"] else name
