"""The node agents for real: Envoys, nftables and FRR of a lab whose Kubernetes is driven with kubectl."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from lab.host.enter import command
from lab.lifecycle import down, up
from lab.process import ProcessRef
from lab.sitecopy import copy_site
from lab.state import read_state
from rollout.model.site import Site, Switch
from rollout.site.load import load_site
from tests.lab import node_objects as objects
from tests.lab.node_objects import GATEWAYS, SPEAKERS, VIP

pytestmark = [pytest.mark.lab, pytest.mark.kubectl]
INVENTORY = Path(__file__).parents[2] / "inventory" / "lab"
CLUSTER_VIP = "203.0.113.2"
EXCLUDE = "node.kubernetes.io/exclude-from-external-load-balancers"


@dataclass(frozen=True, slots=True)
class Bench:
    site: Site

    def kubectl(self, *words: str, given: str = "", check: bool = True) -> str:
        config = f"--kubeconfig={self.site.folder / '.lab' / 'kubeconfig'}"
        done = subprocess.run(
            ["kubectl", config, *words], input=given, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0 or not check, f"{words}: {done.stderr}"
        return done.stdout

    def apply(self, *items: dict[str, Any]) -> None:
        self.kubectl(
            "apply",
            "--validate=false",
            "-f",
            "-",
            given=json.dumps({"apiVersion": "v1", "kind": "List", "items": items}),
        )

    def get(self, *words: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.kubectl("get", *words, "-o", "json", check=False) or "{}")
        return found

    def inside(self, host: str, *argv: str) -> str:
        entering = command(self.site.folder, host, argv)
        return subprocess.run(entering, capture_output=True, text=True, timeout=30, check=False).stdout

    def ready(self, namespace: str, name: str) -> bool:
        conditions = self.get("pod", "-n", namespace, name).get("status", {}).get("conditions", ())
        return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)

    def next_hops(self, switch: str) -> set[str]:
        found = json.loads(self.inside(switch, "vtysh", "-c", f"show bgp ipv4 unicast {VIP}/32 json") or "{}")
        return {path["nexthops"][0]["ip"] for path in found.get("paths", ())}

    def announced(self, node: str) -> bool:
        rack = self.site.node(node).rack
        address = str(self.site.node(node).fabric_address)
        return address in self.next_hops(self.site.rack(rack).switch.name)

    def fetch(self, vip: str = VIP) -> str:
        """Response head and body of one request from the outside client; empty when nobody answers."""
        return self.inside("client", "curl", "-sS", "-m", "2", "-i", f"http://{vip}/")


def until(claim: Callable[[], object], within: float = 10) -> float:
    """Seconds until ``claim`` held; fails after ``within``."""
    began = time.monotonic()
    while not claim():
        assert time.monotonic() - began < within, "it never came true"
        time.sleep(0.02)
    return time.monotonic() - began


def configure_tor(bench: Bench, switch: Switch, nodes: list[str]) -> None:
    """By hand what roles/tor does: one neighbor per gateway node."""
    lines = ["configure terminal", "bfd", "profile fast", "receive-interval 150", "transmit-interval 150"]
    lines += ["exit", "exit", f"router bgp {switch.asn}"]
    for node in nodes:
        address = bench.site.node(node).fabric_address
        lines += [
            f"neighbor {address} remote-as {bench.site.bgp.node_asn}",
            f"neighbor {address} bfd profile fast",
        ]
    lines += ["address-family ipv4 unicast", "maximum-paths 16"]
    bench.inside(switch.name, "vtysh", *(word for line in lines for word in ("-c", line)))


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    folder = tmp_path_factory.mktemp("node") / "site"
    site = load_site(copy_site(INVENTORY, folder, name="labnode", loopback="127.93."))
    try:
        up(site, progress=lambda _line: None)
        bench = Bench(site)
        serve(bench)
        yield bench
    finally:
        down(folder)


def serve(bench: Bench) -> None:
    """Gateways on every gateway node, backends, MetalLB's objects, ToR neighbors: a VIP that answers."""
    site = bench.site
    gateways = [node.name for node in site.gateway_nodes]
    for node in site.nodes:
        until(partial(bench.get, "node", node.name))
        bench.kubectl("label", "node", node.name, f"{site.rack_label}={node.rack}")
    bench.apply(
        *(objects.meta("Namespace", name) for name in ("shop", GATEWAYS, SPEAKERS)), *objects.definitions()
    )
    bench.apply(objects.controller(), *objects.metallb(site))
    for rack in site.racks:
        configure_tor(bench, rack.switch, [node.name for node in rack.nodes if node.gateway])
    local = {"type": "LoadBalancer", "externalTrafficPolicy": "Local", "loadBalancerIP": VIP}
    bench.apply(
        objects.service("echo", "shop", "echo", 8080),
        objects.service("gateway", GATEWAYS, "gateway", 80, **local),
        *(objects.echo(number, node.name) for number, node in enumerate(site.nodes[::3])),
        *(objects.gateway(f"gw-{name}", name) for name in gateways),
        *(objects.speaker(name) for name in gateways),
    )
    until(lambda: all(bench.announced(name) for name in gateways), within=20)
    until(lambda: bench.fetch().startswith("HTTP/1.1 200"), within=10)


def test_the_vip_answers_from_outside_and_names_gateway_and_node(bench: Bench) -> None:
    head = bench.fetch().lower()
    assert "x-rackroll-gateway: gw-r" in head
    assert "x-rackroll-node: r" in head
    assert '"app": "simulated"' in head


def test_every_node_is_a_kubernetes_node_with_its_fabric_address(bench: Bench) -> None:
    for node in bench.site.nodes:
        addresses = bench.get("node", node.name)["status"]["addresses"]
        assert {"type": "InternalIP", "address": str(node.fabric_address)} in addresses


def test_statuses_name_every_announcing_node(bench: Bench) -> None:
    items = bench.get("servicebgpstatuses", "-n", SPEAKERS)["items"]
    assert {item["status"]["node"] for item in items} == {n.name for n in bench.site.gateway_nodes}


def test_the_exclude_label_withdraws_and_its_removal_announces_again(bench: Bench) -> None:
    bench.kubectl("label", "node", "r1n1", f"{EXCLUDE}=")
    assert until(lambda: not bench.announced("r1n1")) < 1
    bench.kubectl("label", "node", "r1n1", f"{EXCLUDE}-")
    until(lambda: bench.announced("r1n1"))


def test_a_cordon_does_not_withdraw_with_this_metallb(bench: Bench) -> None:
    bench.kubectl("cordon", "r1n1")
    time.sleep(1)
    assert bench.announced("r1n1")
    bench.kubectl("uncordon", "r1n1")


def test_a_failed_health_check_closes_connections_first_and_then_unreadies(bench: Bench) -> None:
    until(lambda: bench.ready(GATEWAYS, "gw-r1n2"))
    request = ("exec", "-n", GATEWAYS, "gw-r1n2", "-c", "istio-proxy", "--", "pilot-agent", "request", "POST")
    assert bench.kubectl(*request, "healthcheck/fail").strip() == "OK"
    address = bench.get("pod", "-n", GATEWAYS, "gw-r1n2")["status"]["podIP"]
    answer = bench.inside("r1n2", "curl", "-sS", "-i", "-m", "2", f"http://{address}/").lower()
    assert answer.startswith("http/1.1 200")
    assert "connection: close" in answer
    until(lambda: not bench.ready(GATEWAYS, "gw-r1n2"))
    bench.kubectl(*request, "healthcheck/ok")
    until(lambda: bench.ready(GATEWAYS, "gw-r1n2"))


def test_a_killed_envoy_is_restarted_and_counted(bench: Bench) -> None:
    victim = envoy_of(bench, GATEWAYS, "gw-r2n1")
    os.kill(victim.pid, signal.SIGKILL)
    until(lambda: restarts(bench, "gw-r2n1") == 1)
    until(lambda: bench.ready(GATEWAYS, "gw-r2n1"))
    assert not victim.alive


def test_a_deleted_gateway_serves_until_its_drain_is_over_and_the_next_is_the_newer_envoy(
    bench: Bench,
) -> None:
    old = envoy_of(bench, GATEWAYS, "gw-r2n2")
    began = time.monotonic()
    bench.kubectl("delete", "pod", "-n", GATEWAYS, "gw-r2n2", "--wait=false")
    time.sleep(2)
    assert old.alive
    assert bench.announced("r2n2"), "terminating but serving: MetalLB keeps the route"
    until(lambda: not bench.get("pod", "-n", GATEWAYS, "gw-r2n2"))
    assert 4.5 < time.monotonic() - began < 9
    assert not old.alive
    until(lambda: not bench.announced("r2n2"))
    bench.apply(objects.gateway("gw-r2n2-new", "r2n2", "1.31.1"))
    until(lambda: bench.announced("r2n2"))
    program = Path(f"/proc/{envoy_of(bench, GATEWAYS, 'gw-r2n2-new').pid}/exe").readlink()
    assert "1.39.3" in program.parts


def test_a_node_without_its_speaker_pod_has_no_bgp(bench: Bench) -> None:
    bench.kubectl("delete", "pod", "-n", SPEAKERS, "speaker-r1n1")
    until(lambda: not bench.announced("r1n1"))
    assert "router bgp" not in bench.inside("r1n1", "vtysh", "-c", "show running-config")
    bench.apply(objects.speaker("r1n1"))
    until(lambda: bench.announced("r1n1"))


def test_policy_cluster_reaches_pods_of_other_nodes_and_the_answer_finds_its_way_back(bench: Bench) -> None:
    cluster = {"type": "LoadBalancer", "externalTrafficPolicy": "Cluster", "loadBalancerIP": CLUSTER_VIP}
    bench.apply(objects.service("direct", "shop", "echo", 8080, **cluster))
    until(lambda: "200 OK" in bench.fetch(CLUSTER_VIP))
    assert all("200 OK" in bench.fetch(CLUSTER_VIP) for _ in range(8))


def test_an_unknown_istio_is_an_image_that_cannot_be_pulled(bench: Bench) -> None:
    bench.apply(objects.gateway("gw-odd", "r1n3", "1.99.0"))
    until(lambda: waiting(bench, "gw-odd") == "ErrImagePull")
    bench.kubectl("delete", "pod", "-n", GATEWAYS, "gw-odd", "--wait=false")


def test_a_dead_node_reports_nothing_and_serves_again_once_it_is_back(bench: Bench) -> None:
    os.kill(read_state(bench.site.folder).host("r1n2").init.pid, signal.SIGKILL)
    until(lambda: not bench.announced("r1n2"))
    assert bench.ready(GATEWAYS, "gw-r1n2"), "nobody is there to say otherwise"
    up(bench.site, progress=lambda _line: None)
    until(lambda: bench.announced("r1n2"), within=20)
    until(lambda: bench.ready(GATEWAYS, "gw-r1n2"))
    assert restarts(bench, "gw-r1n2") == 1
    address = bench.get("pod", "-n", GATEWAYS, "gw-r1n2")["status"]["podIP"]
    assert "200 OK" in bench.inside("r1n2", "curl", "-sS", "-i", "-m", "2", f"http://{address}/")


def test_a_killed_daemon_takes_its_envoys_along(bench: Bench) -> None:
    """Last: the lab is of no use afterwards."""
    running = processes(bench)
    assert running
    daemon = json.loads((bench.site.folder / ".lab" / "daemon.json").read_text())["pid"]
    os.kill(daemon, signal.SIGKILL)
    until(lambda: not any(ref.alive for ref in running))


def processes(bench: Bench) -> list[ProcessRef]:
    """What the agents' ledger says is running."""
    rows = json.loads((bench.site.folder / ".lab" / "node-processes.json").read_text())
    return [ProcessRef(**row) for row in rows]


def envoy_of(bench: Bench, namespace: str, name: str) -> ProcessRef:
    uid = bench.get("pod", "-n", namespace, name)["metadata"]["uid"]
    return next(r for r in processes(bench) if uid[:13] in Path(f"/proc/{r.pid}/cmdline").read_text())


def restarts(bench: Bench, name: str) -> int:
    return int(bench.get("pod", "-n", GATEWAYS, name)["status"]["containerStatuses"][0]["restartCount"])


def waiting(bench: Bench, name: str) -> str | None:
    status: dict[str, Any] = bench.get("pod", "-n", GATEWAYS, name).get("status", {})
    rows: list[dict[str, Any]] = status.get("containerStatuses") or [{}]
    found: str | None = rows[0].get("state", {}).get("waiting", {}).get("reason")
    return found
