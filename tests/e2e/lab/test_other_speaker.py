"""A BGP speaker that is not FRR, on a gateway node: what the ToR that roles/tor configured takes from it.

FRR to FRR proves little about the wire. GoBGP is another implementation, and here a hostile one: it announces what no
node may.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lab.control.process import Running
from lab.control.tools import find
from lab.state import namespace_of
from rollout.adapters.switches import SshSwitches
from rollout.model.site import Node, Site, Switch
from tests.lab.rack import running_lab, shell

pytestmark = [pytest.mark.real, pytest.mark.lab]

VIP = "203.0.113.1/32"
FORBIDDEN = ("0.0.0.0/0", "203.0.113.0/28", "203.0.113.200/32", "192.0.2.1/32", "10.90.2.11/32")
CONFIG = """
[global.config]
  as = {asn}
  router-id = "{address}"
  port = -1
[[neighbors]]
  [neighbors.config]
    neighbor-address = "{tor}"
    peer-as = {peer}
  [neighbors.timers.config]
    connect-retry = 1
    idle-hold-time-after-reset = 1
"""
PATIENCE = 60.0


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running_lab(tmp_path_factory.mktemp("speaker")) as running:
        switches = SshSwitches(running)
        switches.apply(running.switch("tor-r1"))
        switches.close()
        yield running


@pytest.fixture
def tor(site: Site) -> Switch:
    return site.switch("tor-r1")


@pytest.fixture
def node(site: Site) -> Node:
    return next(node for node in site.rack("r1").nodes if node.gateway)


@contextmanager
def gobgp(site: Site, node: Node, asn: int, folder: Path) -> Iterator[Callable[..., str]]:
    """A GoBGP in the node's network, and its command line."""
    tor = site.rack(node.rack).switch
    config = folder / "gobgpd.toml"
    known = {"asn": asn, "address": node.fabric_address, "tor": tor.fabric_address, "peer": tor.asn}
    config.write_text(CONFIG.format(**known))
    namespace = namespace_of(site.name, node.name)
    argv = [str(find("gobgp", "gobgpd")), "-f", str(config), "--api-hosts=127.0.0.1:50051"]
    running = Running("gobgpd", argv, folder / "gobgpd.log", namespace)

    def command(*words: str) -> str:
        running.require()
        enter = ["nsenter", f"--net=/run/netns/{namespace}", "--", str(find("gobgp", "gobgp")), *words]
        return subprocess.run(enter, capture_output=True, text=True, timeout=20, check=False).stdout

    try:
        yield command
    finally:
        running.stop()


def established(command: Callable[..., str]) -> bool:
    return "Establ" in command("neighbor")


def routes(tor: Switch) -> set[str]:
    return set(json.loads(shell(tor.ssh, "vtysh -c 'show bgp ipv4 unicast json'")).get("routes", {}))


def until(check: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not check():
        assert time.monotonic() < deadline, f"{what}: not within {PATIENCE:.0f} s"
        time.sleep(0.2)


def test_of_all_that_it_announces_only_the_pools_host_route_gets_in(
    site: Site, tor: Switch, node: Node, tmp_path: Path
) -> None:
    before = routes(tor)
    with gobgp(site, node, site.bgp.node_asn, tmp_path) as command:
        until(lambda: established(command), "the session")
        for prefix in (*FORBIDDEN, VIP):
            command("global", "rib", "add", prefix)
        until(lambda: VIP in routes(tor), "the VIP in the ToR's table")
        assert routes(tor) - before == {VIP}
        assert command("neighbor", str(tor.fabric_address), "adj-out").count("/") >= len(FORBIDDEN) + 1
        told = command("neighbor", str(tor.fabric_address), "adj-in")
        assert "/" not in told, f"the ToR told it something: {told}"
    until(lambda: VIP not in routes(tor), "the VIP gone with its speaker")
