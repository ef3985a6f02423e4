"""What the API is read to say of a node's boot, from real kubelets' fields; and that the lab's kubelet writes them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest

from lab.kube.objects import status_of
from lab.kube.resource import NODES
from lab.node.machine import Machine
from lab.node.nodeobject import heartbeat
from rollout.adapters.kube.cluster import KubeCluster
from rollout.errors import StepFailed
from rollout.model.observed import NodeBoot
from tests.unit.kube_world import World
from tests.unit.kubeapi import FakeApi, status

NODE = "GET /api/v1/nodes/r1n1"
PODS = "GET /api/v1/pods"
BOOT = "2b1c7a4e-0f5d-4c0e-9a53-5f0c8d3f9b11"
BEAT, SINCE = "2026-11-23T10:05:00Z", "2026-11-23T10:00:00Z"


def ready(value: str = "True") -> dict[str, str]:
    return {"type": "Ready", "status": value, "lastHeartbeatTime": BEAT, "lastTransitionTime": SINCE}


def node(**state: Any) -> dict[str, Any]:
    return {"metadata": {"name": "r1n1"}, "status": state}


def pod(name: str, app: str, condition: dict[str, str]) -> dict[str, Any]:
    container = {"name": "istio-proxy", "image": "docker.io/istio/proxyv2:1.30.3"}
    return {
        "metadata": {"name": name, "namespace": app, "labels": {"app": app, "istio": "ingress"}},
        "spec": {"nodeName": "r1n1", "containers": [container]},
        "status": {"phase": "Running", "conditions": [condition]},
    }


def test_a_node_is_told_with_its_boot_its_heartbeat_and_the_gateways_that_are_shown_ready(
    api: FakeApi, cluster: KubeCluster
) -> None:
    api.on(NODE, node(conditions=[ready()], nodeInfo={"bootID": BOOT, "kubeletVersion": "v1.35.4"}))
    gateway, sidecar = pod("gw-1", "istio-ingress", ready()), pod("cart", "shop", ready())
    api.on(PODS, {"items": [sidecar, gateway, pod("gw-2", "istio-ingress", ready("False"))]})
    assert cluster.boot("r1n1") == NodeBoot(True, BOOT, BEAT, (f"istio-ingress/gw-1 Ready since {SINCE}",))
    assert [asked.query for asked in api.sent("GET") if asked.path == "/api/v1/pods"] == [
        {"fieldSelector": "spec.nodeName=r1n1"}
    ]


@pytest.mark.parametrize(
    "state", [{}, {"conditions": None, "nodeInfo": None}, {"nodeInfo": {"bootID": None}}]
)
def test_a_node_that_says_nothing_of_itself_is_not_ready_and_in_no_known_boot(
    api: FakeApi, cluster: KubeCluster, state: dict[str, Any]
) -> None:
    api.on(NODE, node(**state))
    api.on(PODS, {"items": []})
    assert cluster.boot("r1n1") == NodeBoot(False, "", "", ())


def test_a_node_whose_kubelet_is_silent_is_not_ready(api: FakeApi, cluster: KubeCluster) -> None:
    api.on(NODE, node(conditions=[ready("Unknown")], nodeInfo={"bootID": BOOT}))
    api.on(PODS, {"items": []})
    assert cluster.boot("r1n1") == NodeBoot(False, BOOT, BEAT, ())


def test_a_node_that_is_gone_is_no_error_and_a_refusal_is_one(api: FakeApi, cluster: KubeCluster) -> None:
    api.on(NODE, status(404, "NotFound", "no such node"), status(422, "Invalid", "no"))
    assert cluster.boot("r1n1") is None
    with pytest.raises(StepFailed, match="cannot read node r1n1"):
        cluster.boot("r1n1")


@dataclass(frozen=True)
class Host:
    """A lab node whose files are in a folder."""

    root: Path
    name: str = "r9n9"
    index: int = 9
    fabric_address: str = "10.0.0.9"

    def path(self, inside: str) -> Path:
        return self.root / inside.lstrip("/")

    def boots(self, boot: str) -> Machine:
        file = self.path("/proc/sys/kernel/random/boot_id")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{boot}\n")
        return cast(Machine, self)


def test_the_labs_kubelet_names_its_hosts_boot_and_says_ready_anew_when_it_changes(tmp_path: Path) -> None:
    world, host = World(), Host(tmp_path)
    heartbeat(world.store, host.boots("first"), "v1.35.0")
    told = status_of(world.get(NODES, host.name))
    assert told["nodeInfo"]["bootID"] == "first"
    world.clock.advance(60)
    heartbeat(world.store, host.boots("first"), "v1.35.0")
    assert status_of(world.get(NODES, host.name)) == told
    heartbeat(world.store, host.boots("second"), "v1.35.0")
    again = status_of(world.get(NODES, host.name))
    assert again["nodeInfo"]["bootID"] == "second"
    beats = [c["lastHeartbeatTime"] for s in (told, again) for c in s["conditions"] if c["type"] == "Ready"]
    assert beats[0] < beats[1]
