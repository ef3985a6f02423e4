"""MetalLB's own controller and speakers in the lab's nodes, on a real API, heard by the ToRs that we configured.

What a VIP does is read where it counts: in the routing tables of both ToRs.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.control.tools import charts
from rollout.adapters.kube.api import MERGE, KubeApi, connect
from rollout.cli.world import build_world
from rollout.engine.join import routed
from rollout.engine.ports import World
from rollout.errors import StepFailed, Unreachable
from rollout.site.load import load_site
from tests.lab.rackroll_command import Site
from tests.lab.serving import clients, serving

pytestmark = [pytest.mark.real, pytest.mark.lab]

EXCLUDE = "node.kubernetes.io/exclude-from-external-load-balancers"
GATEWAY_LABEL = "rackroll.io/gateway"
NODES = frozenset({"r1n1", "r1n2", "r2n1", "r2n2"})
PATIENCE = (
    90.0  # seconds: a speaker gathers changes for three, and frr-reload takes a second on a busy machine
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    def upstream(document: dict[str, Any]) -> None:
        document["metallb"]["charts"] = {"path": str(charts("metallb"))}

    folder = tmp_path_factory.mktemp("real") / "site"
    with serving(folder, "reallab", "127.97.", upstream, real=True) as found:
        yield found


@pytest.fixture(scope="module")
def world(site: Site) -> World:
    return build_world(load_site(site.folder))


@pytest.fixture(scope="module")
def api(site: Site) -> KubeApi:
    return connect(load_site(site.folder).kubernetes)


def announced(world: World) -> frozenset[str]:
    """Nodes that every ToR has as next hops of the VIP."""
    return routed(world, world.site.gateways[0])


def until(check: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not check():
        assert time.monotonic() < deadline, f"{what}: not within {PATIENCE:.0f} s"
        time.sleep(0.2)


def label(api: KubeApi, node: str, name: str, value: str | None) -> None:
    body = {"metadata": {"labels": {name: value}}}
    api.request("PATCH", f"/api/v1/nodes/{node}", body=body, content_type=MERGE)


def pods(api: KubeApi, namespace: str, selector: str, node: str) -> list[dict[str, Any]]:
    query = {"labelSelector": selector, "fieldSelector": f"spec.nodeName={node}"}
    found: list[dict[str, Any]] = api.get(f"/api/v1/namespaces/{namespace}/pods", **query)["items"]
    return found


def heard_from(api: KubeApi) -> set[str]:
    """Nodes whose speaker says in a ServiceBGPStatus that it announces the gateway."""
    path = "/apis/metallb.io/v1beta1/namespaces/metallb-system/servicebgpstatuses"
    return {item["status"]["node"] for item in api.get(path)["items"] if item.get("status", {}).get("peers")}


def parts(site: Site) -> dict[str, dict[str, Any]]:
    found = json.loads(site.run("lab", "status", "-o", "json").stdout)
    return {part["name"]: part for part in found["parts"]}


def test_what_is_real_is_said_to_be_real_and_runs(site: Site) -> None:
    found = parts(site)
    real = {"Kubernetes API and controllers": 4, "MetalLB controller": 1, "MetalLB speaker": 6}
    assert {name: found[name]["running"] for name in real} == real
    assert {found[name]["truth"] for name in real} == {"real"}
    assert found["istiod's injection webhook"]["truth"] == "simulated"


def test_the_controller_assigned_the_vip_and_every_tor_has_its_route(api: KubeApi, world: World) -> None:
    service = api.get("/api/v1/namespaces/istio-ingress/services/istio-ingress")
    assert service["status"]["loadBalancer"]["ingress"][0]["ip"] == str(world.site.gateways[0].vip)
    until(lambda: announced(world) == NODES, "the VIP in both ToRs, by all four gateways")
    until(lambda: heard_from(api) == NODES, "ServiceBGPStatus of all four")


def test_the_exclude_label_withdraws_and_taking_it_off_announces_again(api: KubeApi, world: World) -> None:
    label(api, "r1n1", EXCLUDE, "any")
    until(lambda: announced(world) == NODES - {"r1n1"}, "r1n1 withdrawn")
    label(api, "r1n1", EXCLUDE, None)
    until(lambda: announced(world) == NODES, "r1n1 back")


def test_a_cordon_withdraws_nothing(api: KubeApi, world: World) -> None:
    """MetalLB 0.14.9 alone withdrew (metallb#2470, taken back in #2715); a control marks the time it would take."""
    body: dict[str, Any] = {"spec": {"unschedulable": True}}
    api.request("PATCH", "/api/v1/nodes/r1n2", body=body, content_type=MERGE)
    label(api, "r2n2", EXCLUDE, "control")
    try:
        until(lambda: announced(world) == NODES - {"r2n2"}, "the control withdrawn")
        time.sleep(4.0)  # longer than the speaker gathers changes for
        assert announced(world) == NODES - {"r2n2"}
    finally:
        body = {"spec": {"unschedulable": None}}
        api.request("PATCH", "/api/v1/nodes/r1n2", body=body, content_type=MERGE)
        label(api, "r2n2", EXCLUDE, None)
    until(lambda: announced(world) == NODES, "all back")


def test_the_route_follows_the_endpoint(api: KubeApi, world: World) -> None:
    """No gateway pod, no route (externalTrafficPolicy Local); the speaker and its session stay."""
    label(api, "r2n1", GATEWAY_LABEL, "no")
    until(lambda: not pods(api, "istio-ingress", "app=istio-ingress", "r2n1"), "the gateway's pod gone")
    until(lambda: announced(world) == NODES - {"r2n1"}, "r2n1 withdrawn")
    label(api, "r2n1", GATEWAY_LABEL, "true")
    until(lambda: announced(world) == NODES, "r2n1 back")


def test_a_speaker_that_goes_takes_its_nodes_route_along_and_brings_it_back(
    api: KubeApi, world: World
) -> None:
    selector = "app.kubernetes.io/component=speaker"
    (before,) = pods(api, "metallb-system", selector, "r1n1")
    path = f"/api/v1/namespaces/metallb-system/pods/{before['metadata']['name']}"
    api.request("DELETE", path)
    until(lambda: "r1n1" not in announced(world), "r1n1 gone with its speaker")
    until(lambda: announced(world) == NODES, "r1n1 back with the next one")
    (after,) = pods(api, "metallb-system", selector, "r1n1")
    assert after["metadata"]["uid"] != before["metadata"]["uid"]


def test_metallbs_webhook_refuses_what_its_rules_forbid(world: World, api: KubeApi) -> None:
    """The conversation goes API server, webhook, controller: all of it upstream's."""
    pool = {
        "apiVersion": "metallb.io/v1beta1",
        "kind": "IPAddressPool",
        "metadata": {"name": "overlapping", "namespace": "metallb-system"},
        "spec": {"addresses": ["203.0.113.0/30"]},
    }
    with pytest.raises(StepFailed, match="overlap"):
        world.cluster.apply([pool])
    names = [p["metadata"]["name"] for p in api.get("/apis/metallb.io/v1beta1/ipaddresspools")["items"]]
    assert names == ["gateways"]


def test_a_crashed_api_server_costs_no_request_and_is_started_again(site: Site, api: KubeApi) -> None:
    before = api.get("/api/v1/namespaces/kube-system")["metadata"]["uid"]
    with clients(site.folder) as seen:
        os.kill(pid_of(site, "kube-apiserver"), signal.SIGKILL)
        until(lambda: answers(site), "the API again")
        time.sleep(3.0)
    assert seen.lost == (0, 0), seen.count.reasons
    assert api.get("/api/v1/namespaces/kube-system")["metadata"]["uid"] == before


def test_a_killed_lab_daemon_finds_its_cluster_again(site: Site, api: KubeApi, world: World) -> None:
    """Its programs die with it, as a whole control plane that loses power; etcd keeps what there was."""
    speakers = {p["metadata"]["uid"] for p in api.get("/api/v1/namespaces/metallb-system/pods")["items"]}
    daemon = json.loads((site.folder / ".lab/daemon.json").read_text())["pid"]
    os.kill(daemon, signal.SIGKILL)
    until(lambda: parts(site)["Kubernetes API and controllers"]["running"] == 0, "its control plane gone")
    site.run("lab", "up", "--real")
    until(lambda: announced(world) == NODES, "the VIP by all four again")
    now = {p["metadata"]["uid"] for p in api.get("/api/v1/namespaces/metallb-system/pods")["items"]}
    assert now == speakers, "the same pods, their programs started again"
    until(lambda: serves(site), "every request answered again")


def test_a_lab_does_not_change_its_kind(site: Site) -> None:
    assert "not a simulated one" in site.run("lab", "up", expect=1).stderr


def pid_of(site: Site, program: str) -> int:
    """Of this lab's own, by the folder on its command line."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:
            continue
        if Path(words[0].decode()).name == program and str(site.folder).encode() in b" ".join(words):
            return int(path.parent.name)
    raise AssertionError(f"no {program} of {site.folder}")


def serves(site: Site) -> bool:
    with clients(site.folder) as seen:
        time.sleep(2.0)
    return seen.lost == (0, 0)


def answers(site: Site) -> bool:
    try:
        return bool(connect(load_site(site.folder).kubernetes).get("/version"))
    except Unreachable:
        return False
