"""What the lab's kubelet makes of a pod of upstream's programs: which it runs, with which files and environment."""

from __future__ import annotations

import asyncio
import base64
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import pytest

from lab.kube.errors import ApiError
from lab.kube.objects import Obj
from lab.kube.resource import SECRETS, Resource
from lab.node.machine import Machine
from lab.node.podlife import Outside
from lab.node.podspec import read_pod
from lab.real import wiring
from lab.real.injector import _patch
from lab.real.mirror import Mirror
from lab.real.podrun import Place, ProgramRun
from lab.real.programs import NoProgram, is_real, real, speaks_bgp, starts
from lab.real.sandbox import Sandbox
from lab.real.volumes import NotThere, Volumes
from lab.state import HostState, LabState, Role
from tests.unit.sites import site

ACCESS = {
    "name": "access",
    "projected": {
        "sources": [
            {"serviceAccountToken": {"path": "token", "expirationSeconds": 3607}},
            {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
            {
                "downwardAPI": {
                    "items": [{"path": "namespace", "fieldRef": {"fieldPath": "metadata.namespace"}}]
                }
            },
        ]
    },
}


def speaker(tag: str = "v0.16.1") -> Obj:
    shared = {"name": "reloader", "mountPath": "/etc/frr_reloader"}
    return {
        "metadata": {"namespace": "metallb-system", "name": "speaker-x", "uid": "3f2a-44-555555"},
        "spec": {
            "hostNetwork": True,
            "serviceAccountName": "speaker",
            "terminationGracePeriodSeconds": 0,
            "containers": [
                {
                    "name": "speaker",
                    "image": f"quay.io/metallb/speaker:{tag}",
                    "args": ["--port=9120"],
                    "env": [
                        {"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
                        {"name": "HOST", "valueFrom": {"fieldRef": {"fieldPath": "status.hostIP"}}},
                        {"name": "BOTH", "value": "$(NODE)-$(NOBODY)"},
                    ],
                    "volumeMounts": [shared, {"name": "ml", "mountPath": "/etc/ml"}],
                },
                {"name": "frr", "image": "quay.io/frrouting/frr:10.5.3"},
                {
                    "name": "reloader",
                    "image": "quay.io/frrouting/frr:10.5.3",
                    "volumeMounts": [{"name": "frr-conf", "mountPath": "/etc/frr"}, shared],
                },
                {"name": "frr-metrics", "image": "quay.io/frrouting/frr:10.5.3"},
            ],
            "volumes": [
                {"name": "reloader", "emptyDir": {}},
                {"name": "ml", "secret": {"secretName": "memberlist"}},
                {"name": "maybe", "configMap": {"name": "nobody", "optional": True}},
                ACCESS,
            ],
            "nodeName": "r1n1",
        },
    }


@pytest.fixture
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    path = tmp_path / "rackroll/tools/metallb/v0.16.1/speaker"
    path.parent.mkdir(parents=True)
    path.touch(mode=0o755)
    return path


def test_the_speakers_program_runs_behind_its_reloader_and_the_rest_does_not(built: Path) -> None:
    reloader, program = starts(speaker())
    assert program.argv == (str(built), "--port=9120")
    assert reloader.argv[1:] == ("-m", "lab.real.reloader", "/etc/frr_reloader")
    assert reloader.only == frozenset({"reloader"})
    assert replace(read_pod(speaker()), real=real(speaker())).simulated == ("frr-metrics",)
    assert speaks_bgp(speaker())


@pytest.mark.usefixtures("built")
def test_an_image_of_another_version_is_not_run_as_this_one() -> None:
    with pytest.raises(NoProgram, match=r"v0\.16\.2.*make tools ARGS=metallb"):
        starts(speaker("v0.16.2"))


@pytest.mark.parametrize(
    ("image", "ours"),
    [
        ("quay.io/metallb/controller:v0.16.1", True),
        ("registry.example:5000/mirror/metallb/speaker:v0.16.1", True),
        ("quay.io/metallb/speaker@sha256:00", True),
        ("docker.io/istio/pilot:1.30.3", False),
        ("quay.io/notmetallb-speaker:v1", False),
    ],
)
def test_upstreams_programs_are_known_by_the_end_of_their_repository(image: str, ours: bool) -> None:
    assert is_real({"spec": {"containers": [{"name": "c", "image": image}]}}) is ours


@dataclass
class Cluster:
    """The part of a mirror that volumes ask."""

    objects: dict[tuple[str, str], Obj] = field(default_factory=dict)
    asked: list[tuple[str, str, Any]] = field(default_factory=list)

    def get(self, resource: Resource, _namespace: str, name: str) -> Obj | None:
        return self.objects.get((resource.kind, name))

    def call(self, method: str, path: str, body: object = None) -> Obj:
        self.asked.append((method, path, body))
        return {"status": {"token": "a-token"}}


@dataclass
class Node:
    root: Path
    fabric_address: str = "10.90.1.11"
    scripts: list[tuple[str, ...]] = field(default_factory=list)

    def path(self, inside: str) -> Path:
        return self.root / inside.lstrip("/")

    async def run(self, *argv: str, script: str = "") -> str:
        self.scripts.append((*argv, script))
        return ""


@pytest.fixture
def cluster() -> Cluster:
    secret = {"data": {"secretkey": base64.b64encode(b"hush").decode()}}
    root = {"data": {"ca.crt": "PEM"}}
    return Cluster({("Secret", "memberlist"): secret, ("ConfigMap", "kube-root-ca.crt"): root})


@pytest.fixture
def volumes(cluster: Cluster, tmp_path: Path) -> Volumes:
    machine = cast(Machine, Node(tmp_path / "node"))
    return Volumes(cast(Mirror, cluster), machine, speaker(), "/run/rackroll/p")


def files(volumes: Volumes) -> dict[str, str]:
    root = volumes.machine.path(volumes.folder)
    shown = (p for p in root.glob("*/*") if p.is_file() and not p.name.startswith(".."))
    return {str(p.relative_to(root)): p.read_text() for p in shown}


def test_volumes_hold_what_the_cluster_says(volumes: Volumes, cluster: Cluster) -> None:
    volumes.write()
    assert files(volumes) == {
        "ml/secretkey": "hush",
        "access/token": "a-token",
        "access/ca.crt": "PEM",
        "access/namespace": "metallb-system",
    }
    ((method, path, body),) = cluster.asked
    assert (method, path) == ("POST", "/api/v1/namespaces/metallb-system/serviceaccounts/speaker/token")
    assert body["spec"]["boundObjectRef"]["name"] == "speaker-x"


def test_a_pod_waits_for_a_secret_that_is_not_there(volumes: Volumes, cluster: Cluster) -> None:
    del cluster.objects[("Secret", "memberlist")]
    with pytest.raises(NotThere, match="memberlist"):
        volumes.write()
    assert issubclass(NotThere, ApiError)


def test_a_changed_secret_reaches_the_running_pod(volumes: Volumes, cluster: Cluster) -> None:
    volumes.write()
    changed = {"data": {"secretkey": base64.b64encode(b"new").decode()}}
    cluster.objects[(SECRETS.kind, "memberlist")] = changed
    volumes.refresh()
    assert files(volumes)["ml/secretkey"] == "new"
    assert len(cluster.asked) == 1


def test_secrets_on_a_node_are_for_root_alone(volumes: Volumes) -> None:
    volumes.write()
    secret = volumes.machine.path(f"{volumes.folder}/ml/secretkey")
    assert secret.stat().st_mode & 0o777 == 0o600


def test_a_container_finds_the_api_server_and_its_fields_in_its_environment(volumes: Volumes) -> None:
    pod = speaker()
    place = Place(volumes.machine, "10.90.1.11", ("10.255.0.254", 6443))
    run = ProgramRun(read_pod(pod), pod, place, volumes, Outside(lambda *_: None, dict))
    found = run._environment(pod["spec"]["containers"][0])
    assert found["KUBERNETES_SERVICE_HOST"] == "10.255.0.254"
    assert (found["NODE"], found["HOST"], found["BOTH"]) == ("r1n1", "10.90.1.11", "r1n1-$(NOBODY)")


def test_a_sandbox_has_one_address_and_its_node_as_the_only_way_out(tmp_path: Path) -> None:
    node = Node(tmp_path)
    asyncio.run(Sandbox(cast(Machine, node), "p-3f2a445555", "10.244.1.7").make())
    script = "\n".join(words[-1] for words in node.scripts)
    assert "route replace 10.244.1.7/32 dev v3f2a445555" in script
    assert "addr add 10.244.1.7/32 dev eth0" in script
    assert "route add default via 169.254.1.1 dev eth0" in script


def test_interface_names_fit_the_kernels_fifteen_characters(tmp_path: Path) -> None:
    pod = speaker()
    pod["spec"]["hostNetwork"] = False
    volumes = Volumes(cast(Mirror, Cluster()), cast(Machine, Node(tmp_path)), pod, "/x")
    place = Place(volumes.machine, "10.244.1.7", ("h", 1))
    run = ProgramRun(read_pod(pod), pod, place, volumes, Outside(lambda *_: None, dict))
    assert isinstance(run._sandbox, Sandbox)
    assert len(f"v{run._sandbox.name[-10:]}") <= 15


def test_the_control_plane_reaches_every_node_and_its_pods(tmp_path: Path) -> None:
    small = site((1, 1), workers=0)
    process = cast(Any, None)
    hosts = tuple(
        HostState(n.name, Role.NODE, "ns", process, f"10.255.0.{i}", None, None, tmp_path)
        for i, n in enumerate(small.nodes, start=7)
    )
    lines = list(wiring.routes(small, LabState(small.name, tmp_path, True, hosts)))
    first = small.nodes[0]
    assert lines[:2] == [
        f"route replace {first.fabric_address}/32 via 10.255.0.7",
        "route replace 10.244.1.0/24 via 10.255.0.7",
    ]
    assert len(lines) == 2 * len(small.nodes)


def test_injection_patches_what_it_changed_and_nothing_else() -> None:
    before = {"metadata": {"labels": {"a": "1"}}, "spec": {"containers": [{"name": "app"}]}}
    after = {
        "metadata": {"labels": {"a": "1"}, "annotations": {"sidecar.istio.io/status": "{}"}},
        "spec": {"containers": [{"name": "app"}, {"name": "istio-proxy"}], "volumes": [{"name": "roots"}]},
    }
    paths = {change["path"] for change in _patch(before, after)}
    assert paths == {"/spec/containers", "/spec/volumes", "/metadata/annotations"}
    assert _patch(before, before) == []
