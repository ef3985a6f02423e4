"""Every kind of move on one lab, under load from outside: speakers, a hold, a rollback, a node's maintenance."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rollout.site.load import load_site
from tests.crash.witness import Routes
from tests.lab.fabric_boxes import ssh
from tests.lab.rackroll_command import Site
from tests.lab.serving import clients, serving

pytestmark = pytest.mark.lab

SYSCTL = "net.ipv4.tcp_fin_timeout"
HELD = 5


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    def older(document: dict[str, Any]) -> None:
        document["metallb"]["version"] = "0.16.0"

    with serving(tmp_path_factory.mktemp("moves") / "site", "moves", "127.93.", older) as found:
        yield found


def images(site: Site, namespace: str, container: str) -> set[str]:
    pods = site.objects(f"/api/v1/namespaces/{namespace}/pods")
    return {c["image"] for pod in pods for c in pod["spec"]["containers"] if c["name"] == container}


def sessions(site: Site) -> dict[str, int]:
    """How often each gateway node's BGP session was established, as its ToR counts."""
    found = {}
    for rack in load_site(site.folder).racks:
        shown = ssh(rack.switch.ssh, "vtysh -c 'show bgp neighbors json'")
        neighbors = json.loads(shown.stdout)
        for node in rack.nodes:
            if node.gateway:
                found[node.name] = int(neighbors[str(node.fabric_address)]["connectionsEstablished"])
    return found


def status(site: Site) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(site.run("status", "-o", "json").stdout)
    return found


def test_metallbs_speakers_move_node_by_node_and_no_two_are_ever_silent_at_once(
    site: Site, tmp_path: Path
) -> None:
    before = sessions(site)
    assert images(site, "metallb-system", "speaker") == {"quay.io/metallb/speaker:v0.16.0"}
    site.run("plan", "upgrade", "--to", "metallb=0.16.1", "--out", str(tmp_path / "metallb.json"))
    with clients(site.folder) as seen, Routes(load_site(site.folder)) as routes:
        process = site.start("apply", str(tmp_path / "metallb.json"), "--yes", log=tmp_path / "apply.log")
        reach(site, process, "r1n1", tmp_path / "apply.log")
        assert status(site)["state"] == "running"
        second = site.run("apply", str(tmp_path / "metallb.json"), "--yes", expect=3)
        assert f"process {process.pid} on " in second.stderr, "the holder is named"
        assert process.wait(240) == 0, (tmp_path / "apply.log").read_text()
    assert images(site, "metallb-system", "speaker") == {"quay.io/metallb/speaker:v0.16.1"}
    assert all(after > before[name] for name, after in sessions(site).items()), "each node's BGP began anew"
    assert routes.lowest == len(before) - 1, "and never two nodes' at once"
    assert seen.lost == (0, 0), seen.count.reasons


def test_a_held_upgrade_is_rolled_back_data_plane_first_and_loses_nothing(site: Site, tmp_path: Path) -> None:
    site.run("plan", "upgrade", "--to", "istio=1.31.1", "--out", str(tmp_path / "istio.json"))
    with clients(site.folder) as seen:
        process = site.start("apply", str(tmp_path / "istio.json"), "--yes", log=tmp_path / "apply.log")
        reach(site, process, "r1n2", tmp_path / "apply.log")
        site.run("hold", "--reason", "for the test")
        assert process.wait(60) == HELD, (tmp_path / "apply.log").read_text()
        assert len(images(site, "istio-ingress", "istio-proxy")) == 2, "half of it has moved"
        site.run("rollback", "--yes", expect=6)
    assert images(site, "istio-ingress", "istio-proxy") == {"docker.io/istio/proxyv2:1.30.3"}
    assert images(site, "istio-system", "discovery") == {"docker.io/istio/pilot:1.30.3"}
    assert seen.lost == (0, 0), seen.count.reasons


def reach(site: Site, process: subprocess.Popen[bytes], node: str, log: Path) -> None:
    deadline = time.monotonic() + 180
    while f"/{node}/" not in (status(site)["current"] or ""):
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.3)


def test_maintenance_runs_the_sites_command_on_the_racks_nodes_and_on_no_other(
    site: Site, tmp_path: Path
) -> None:
    out = str(tmp_path / "maintain.json")
    words = ("plan", "maintain", "--limit", "rack:r2", "--purpose", "shorter FIN timeout", "--out", out)
    done = subprocess.run(
        [*site.argv(*words), "--", "sysctl", "-w", f"{SYSCTL}=31"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    with clients(site.folder) as seen:
        site.run("apply", out, "--yes")
    for node in load_site(site.folder).nodes:
        value = ssh(node.ssh, f"sysctl -n {SYSCTL}").stdout.strip()
        assert (value == "31") is (node.rack == "r2"), node.name
    assert seen.lost == (0, 0), seen.count.reasons
