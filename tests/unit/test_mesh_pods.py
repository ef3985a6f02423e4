"""What the drill's pods get from their kubelet, and what it carries on for them."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import pytest

from lab.kube.admission.linkerd_injection import ANCHORS
from lab.kube.objects import Obj
from lab.kube.resource import CONFIG_MAPS, ENDPOINT_SLICES, EVENTS, NAMESPACES, PODS, SECRETS
from lab.mesh.claims import attach
from lab.mesh.nodes import MeshNodes
from lab.mesh.podrun import MeshRun
from lab.mesh.spoken import ROOTS, Spoken
from lab.mesh.surroundings import Control, load, read_control
from lab.node.machine import Machine
from lab.node.phases import Addresses, Life, Phase, pod_status
from lab.node.podlife import Outside
from lab.node.podspec import read_pod
from lab.real.volumes import NotThere
from tests.unit.kube_world import World
from tests.unit.mesh_world import NODES, drill_pods, linkerd, start
from tests.unit.sites import site


@pytest.fixture
def world() -> World:
    return World(NODES)


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
    around = load((tmp_path / run._open.lstrip("/") / "surroundings.json").read_text())
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
    outbox = tmp_path / run._open.lstrip("/") / "outbox.jsonl"
    outbox.write_text('{"a": 1}\n{"b": ')
    run._listen()
    run._listen()
    outbox.write_text('{"a": 1}\n{"b": 2}\n')
    run._listen()
    assert heard == [{"a": 1}, {"b": 2}]


SPEC = {"containers": [{"name": "discovery", "image": "docker.io/istio/pilot:1.30.3"}]}
ISTIOD = {"metadata": {"name": "istiod", "uid": "one"}}


def roots_of(world: World, namespace: str = "default") -> str:
    return str(world.store.require(CONFIG_MAPS, namespace, ROOTS)["data"]["root-cert.pem"])


async def eventually(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not holds():
            await asyncio.sleep(0.02)


def test_roots_reach_every_namespace_also_later_ones_and_what_was_taken_away(
    world: World, loop: asyncio.AbstractEventLoop
) -> None:
    async def told() -> None:
        Spoken(world.store).hear(ISTIOD, {"roots": "PEM"})
        world.store.create(NAMESPACES, {"metadata": {"name": "late"}})
        world.store.delete(CONFIG_MAPS, "default", ROOTS)
        spaces = ("default", "late")
        await eventually(lambda: all(world.store.get(CONFIG_MAPS, each, ROOTS) for each in spaces))

    loop.run_until_complete(told())
    assert [roots_of(world, each) for each in ("default", "late")] == ["PEM", "PEM"]


def test_an_istiod_that_is_gone_no_longer_writes_over_what_another_nodes_was_told(
    world: World, loop: asyncio.AbstractEventLoop
) -> None:
    """Two kubelets, as on virtual machines: the one whose istiod went away insisted on its old roots for ever."""

    async def told() -> None:
        here, there = Spoken(world.store), Spoken(world.store)
        made = world.store.create(
            PODS, {"metadata": {"name": "istiod", "namespace": "default"}, "spec": SPEC}
        )
        here.hear(made, {"roots": "OLD"})
        world.store.delete(PODS, "default", "istiod")
        await eventually(lambda: world.store.get(PODS, "default", "istiod") is None)
        there.hear(ISTIOD, {"roots": "NEW"})
        world.store.create(NAMESPACES, {"metadata": {"name": "late"}})
        await eventually(lambda: world.store.get(CONFIG_MAPS, "late", ROOTS) is not None)
        written = world.store.require(CONFIG_MAPS, "late", ROOTS)["metadata"]["resourceVersion"]
        await asyncio.sleep(0.5)
        assert world.store.require(CONFIG_MAPS, "late", ROOTS)["metadata"]["resourceVersion"] == written

    loop.run_until_complete(told())
    assert [roots_of(world, each) for each in ("default", "late")] == ["NEW", "NEW"]


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
