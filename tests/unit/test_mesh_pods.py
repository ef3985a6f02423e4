"""Which pods become the drill's processes, what they get from their kubelet, and what it carries on for them."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import pytest
import yaml

from lab.kube.admission.linkerd_injection import ANCHORS
from lab.kube.errors import WebhookFailed
from lab.kube.objects import Obj, uid_of
from lab.kube.resource import (
    CONFIG_MAPS,
    DEPLOYMENTS,
    ENDPOINT_SLICES,
    EVENTS,
    NAMESPACES,
    PDBS,
    PODS,
    SECRETS,
    SERVICE_ACCOUNTS,
    SERVICES,
    STATEFUL_SETS,
    Resource,
)
from lab.mesh.claims import attach
from lab.mesh.nodes import MeshNodes
from lab.mesh.podrun import MeshRun
from lab.mesh.spoken import ROOTS, Spoken
from lab.mesh.stand_ins import stand_in
from lab.mesh.surroundings import Control, Part, load, read_control
from lab.node.machine import Machine
from lab.node.phases import Addresses, Life, Phase, pod_status
from lab.node.podlife import Outside
from lab.node.podspec import read_pod
from lab.real.volumes import NotThere
from tests.unit.kube_world import World, workload
from tests.unit.sites import site

APPS = Path(__file__).resolve().parents[2] / "lab" / "apps"
KINDS: dict[str, Resource] = {
    one.kind: one for one in (NAMESPACES, SERVICE_ACCOUNTS, DEPLOYMENTS, STATEFUL_SETS, SERVICES, PDBS)
}
NODES = {name: f"10.9.{name[1]}.1{name[3]}" for name in ("r1n1", "r1n2", "r1n3", "r2n1", "r2n2", "r2n3")}


@pytest.fixture
def world() -> World:
    return World(NODES)


def apply(world: World, *names: str) -> None:
    for name in names:
        for item in yaml.safe_load_all((APPS / f"{name}.yaml").read_text()):
            world.make(KINDS[item["kind"]], item, 1.0)
    world.pass_time()


def istiod(world: World) -> None:
    world.make(NAMESPACES, {"metadata": {"name": "istio-system"}})
    body = workload("Deployment", "istiod", "docker.io/istio/pilot:1.30.3", replicas=1)
    body["metadata"] |= {"namespace": "istio-system", "labels": {"app": "istiod"}}
    body["spec"]["template"]["spec"]["containers"][0]["name"] = "discovery"
    world.make(DEPLOYMENTS, body)


def bundle(world: World, text: str) -> None:
    if world.store.get(NAMESPACES, None, "linkerd") is None:
        world.make(NAMESPACES, {"metadata": {"name": "linkerd"}})
    meta = {"name": "linkerd-identity-trust-roots", "namespace": "linkerd"}
    body = {"metadata": meta, "data": {"ca-bundle.crt": text}}
    if world.store.get(CONFIG_MAPS, "linkerd", meta["name"]) is None:
        world.make(CONFIG_MAPS, body)
    else:
        world.store.patch(CONFIG_MAPS, "linkerd", meta["name"], body)


def linkerd(world: World) -> None:
    bundle(world, "ONE")
    for item in yaml.safe_load_all((APPS / "linkerd.yaml").read_text()):
        if item["kind"] != "Namespace":
            world.make(KINDS[item["kind"]], item, 1.0)


def drill_pods(world: World) -> list[Obj]:
    return world.pods("pair", "drill")


def role(pod: Obj, *, cacerts: bool = True) -> Any:
    return stand_in(pod, lambda space, name: cacerts and (space, name) == ("istio-system", "cacerts"))


def start(world: World, mesh: str) -> None:
    match mesh:
        case "istio":
            istiod(world)
        case "linkerd":
            linkerd(world)
        case _:
            apply(world, "consul")
    apply(world, f"pairs-{mesh}")


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
    found = {pod["metadata"]["name"].rsplit("-", 2)[0]: role(pod) for pod in world.store.list(PODS)}
    parts = {name: one and one.part for name, one in found.items()}
    assert parts == {
        "linkerd-identity": Part.SIGNER,
        "linkerd-destination": None,
        "linkerd-proxy-injector": Part.VOLUMES,
        "consul-server-0": Part.SIGNER,
        "consul": Part.SIGNER,
        "consul-connect-injector": None,
    } or parts == {
        "linkerd-identity": Part.SIGNER,
        "linkerd-destination": None,
        "linkerd-proxy-injector": Part.VOLUMES,
        "consul": Part.SIGNER,
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


def test_a_claim_follows_its_pod_to_another_node_with_what_is_in_it(tmp_path: Path) -> None:
    inside = attach(tmp_path, "r1n1", "consul-data")
    first = tmp_path / ".lab/hosts/r1n1/volumes/consul-data"
    (first / "state").write_text("kept")
    assert first.stat().st_mode & 0o777 == 0o700
    assert attach(tmp_path, "r2n1", "consul-data") == inside == "/run/lab/volumes/consul-data"
    assert (tmp_path / ".lab/hosts/r2n1/volumes/consul-data/state").read_text() == "kept"
    assert not first.exists()


@dataclass
class Node:
    """A machine that is a folder."""

    root: Path
    name: str = "r1n1"
    fabric_address: str = "10.9.1.11"
    folder: Path = Path("/site")

    def path(self, inside: str) -> Path:
        return self.root / inside.lstrip("/")


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


def begun(world: World, pod: Obj, root: Path) -> MeshRun:
    nodes = MeshNodes(world.store, site((3, 3), workers=0), Path("/site"))
    spec = read_pod(pod)
    run = nodes.programs(cast(Machine, Node(root)))(pod, spec, "10.244.1.2", Outside(lambda *_: None, dict))
    assert isinstance(run, MeshRun)
    return run


def test_a_pair_is_told_its_ready_peers_its_signers_and_their_racks(world: World, tmp_path: Path) -> None:
    start(world, "consul")
    pod, *others = drill_pods(world)
    run = begun(world, pod, tmp_path)
    run._starts()
    around = load((tmp_path / run._volumes.folder.lstrip("/") / "surroundings.json").read_text())
    assert {peer.name for peer in around.peers} == {one["metadata"]["name"] for one in others}
    assert {peer.account for peer in around.peers} == {"pair"}
    assert {(peer.node, peer.rack) for peer in around.peers} <= {(n, n[:2]) for n in NODES}
    server = world.get(PODS, "consul-server-0", "consul")
    assert around.signers == (server["status"]["podIP"],)


def test_a_terminating_peer_is_no_peer(world: World, tmp_path: Path) -> None:
    start(world, "consul")
    pod, gone, *_ = drill_pods(world)
    world.store.delete(PODS, "drill", gone["metadata"]["name"])
    world.loop.settle()
    run = begun(world, pod, tmp_path)
    around = run._ties.around(pod, run._role, "10.244.1.2")
    assert gone["metadata"]["name"] not in {peer.name for peer in around.peers}
    assert world.store.count(ENDPOINT_SLICES) > 0


def test_a_pair_has_the_environment_of_both_its_containers(world: World, tmp_path: Path) -> None:
    start(world, "linkerd")
    run = begun(world, drill_pods(world)[0], tmp_path)
    (only,) = run._starts()
    found = run._environment(only.container)
    assert found[ANCHORS] == "ONE"
    assert (found["LAB_ADDRESS"], found["LAB_MESH"], found["LAB_VERSION"]) == (
        "10.244.1.2",
        "linkerd",
        "edge-26.6.3",
    )
    assert "KUBERNETES_SERVICE_HOST" not in found


def test_its_status_says_that_it_stands_in(world: World, tmp_path: Path) -> None:
    start(world, "istio")
    run = begun(world, drill_pods(world)[0], tmp_path)
    assert run.spec.simulated == ()
    assert run.spec.stand_in == "istio-proxy, pair by lab.mesh.pair"
    life = Life(Phase.RUNNING, ready=True)
    status = pod_status(run.spec, life, Addresses("10.244.1.2", "10.9.1.11"), {}, "now")
    assert all(row["containerID"].startswith("stand-in://") for row in status["containerStatuses"])


def test_words_are_carried_on_once_and_half_a_word_waits(world: World, tmp_path: Path) -> None:
    start(world, "consul")
    run = begun(world, drill_pods(world)[0], tmp_path)
    run._starts()
    heard: list[Any] = []
    run._ties = replace(run._ties, hear=lambda _pod, word: heard.append(word))
    outbox = tmp_path / run._volumes.folder.lstrip("/") / "outbox.jsonl"
    outbox.write_text('{"a": 1}\n{"b": ')
    run._listen()
    run._listen()
    outbox.write_text('{"a": 1}\n{"b": 2}\n')
    run._listen()
    assert heard == [{"a": 1}, {"b": 2}]


def test_roots_reach_every_namespace_also_later_ones_and_what_was_taken_away(
    world: World, loop: asyncio.AbstractEventLoop
) -> None:
    async def told() -> None:
        spoken = Spoken(world.store)
        spoken.hear({"metadata": {"name": "istiod"}}, {"roots": "PEM"})
        world.store.create(NAMESPACES, {"metadata": {"name": "late"}})
        world.store.delete(CONFIG_MAPS, "default", ROOTS)
        await asyncio.sleep(0)

    loop.run_until_complete(told())
    for namespace in ("default", "late"):
        assert world.store.require(CONFIG_MAPS, namespace, ROOTS)["data"] == {"root-cert.pem": "PEM"}


def test_an_event_is_about_the_deployment(world: World) -> None:
    linkerd(world)
    (pod, *_) = world.store.list(
        PODS, "linkerd", label_selector="linkerd.io/control-plane-component=identity"
    )
    word = {"event": {"type": "Normal", "reason": "IssuerUpdated", "message": "Updated identity issuer"}}
    Spoken(world.store).hear(pod, word)
    (event,) = world.store.list(EVENTS, "linkerd")
    assert event["reason"] == "IssuerUpdated"
    assert (event["involvedObject"]["kind"], event["involvedObject"]["name"]) == (
        "Deployment",
        "linkerd-identity",
    )


def test_control_is_read_and_half_of_it_is_no_fault(tmp_path: Path) -> None:
    assert read_control(tmp_path) == Control()
    (tmp_path / "control.json").write_text(json.dumps({"drop": ["ab"], "frozen": True}))
    assert read_control(tmp_path) == Control(frozenset({"ab"}), True)
    (tmp_path / "control.json").write_text('{"drop": [')
    assert read_control(tmp_path) == Control()


def test_a_signers_secret_is_a_volume_that_changes_as_a_whole(world: World, tmp_path: Path) -> None:
    linkerd(world)
    meta = {"name": "linkerd-identity-issuer", "namespace": "linkerd"}
    data = {key: base64.b64encode(value).decode() for key, value in (("tls.crt", b"C1"), ("tls.key", b"K1"))}
    world.store.create(SECRETS, {"metadata": meta, "data": data})
    (pod, *_) = world.store.list(
        PODS, "linkerd", label_selector="linkerd.io/control-plane-component=identity"
    )
    volumes = begun(world, pod, tmp_path)._volumes
    volumes.write()
    folder = tmp_path / volumes.folder.lstrip("/") / "identity-issuer"
    assert (folder / "tls.key").read_text() == "K1"
    assert (folder / "tls.key").stat().st_mode & 0o777 == 0o600
    first = (folder / "..data").readlink()
    world.store.patch(
        SECRETS,
        "linkerd",
        meta["name"],
        {"data": {"tls.key": None, "tls.crt": base64.b64encode(b"C2").decode()}},
    )
    volumes.refresh()
    assert (folder / "tls.crt").read_text() == "C2"
    assert not (folder / "tls.key").exists()
    assert (folder / "..data").readlink() != first
    assert [path.name for path in folder.iterdir() if path.is_dir() and not path.is_symlink()] == [
        str((folder / "..data").readlink())
    ]


def test_a_pod_waits_for_a_config_map_that_its_environment_names(world: World, tmp_path: Path) -> None:
    linkerd(world)
    (pod, *_) = world.store.list(
        PODS, "linkerd", label_selector="linkerd.io/control-plane-component=identity"
    )
    run = begun(world, pod, tmp_path)
    proxy = next(c for c in pod["spec"]["containers"] if c["name"] == "linkerd-proxy")
    assert run._environment(proxy)[ANCHORS] == "ONE"
    world.store.delete(CONFIG_MAPS, "linkerd", "linkerd-identity-trust-roots")
    with pytest.raises(NotThere, match="linkerd-identity-trust-roots"):
        run._environment(proxy)
