"""The cluster on the machines: the very same bringup and upgrade as on the embedded lab, under traffic from outside."""

from __future__ import annotations

import pytest

from lab.host.enter import command
from tests.vm.conftest import Machines
from tests.vm.load import load, lost
from tests.vm.rackroll import Rackroll

NEWER = "1.31.1"


@pytest.fixture(scope="module")
def up(brought_up: Rackroll) -> Rackroll:
    return brought_up


def test_a_second_bringup_changes_nothing(up: Rackroll) -> None:
    assert up.changed_by("plan", "bringup") == []


@pytest.mark.usefixtures("up")
def test_a_request_from_outside_is_answered_by_an_envoy_in_a_machine(machines: Machines) -> None:
    gateway, probe = machines.site.gateways[0], machines.site.probe
    url = f"http://{gateway.vip}:{gateway.port}{probe.path}"
    argv = command(
        machines.site.folder, probe.name, ["curl", "-sS", "-i", "-H", f"Host: {probe.host_header}", url]
    )
    said = machines.local(argv)
    assert "200 OK" in said
    assert "server: envoy" in said.lower()
    for node in machines.site.gateway_nodes:
        shell = machines.shell(node.name)
        assert int(shell.run("pgrep -c envoy")) >= 1
        assert str(gateway.vip) in shell.run("nft list ruleset")


def test_an_upgrade_node_by_node_loses_no_request(up: Rackroll, machines: Machines) -> None:
    with load(machines) as running:
        before = running.latest
        up.apply("plan", "upgrade", "--to", f"istio={NEWER}")
        assert lost(before, running.latest) == (0, 0)
    assert up.json("status")["state"] == "done"
    up.edit_mesh(lambda mesh: mesh | {"version": NEWER})
    assert up.changed_by("plan", "bringup") == [], "the site file says now what runs"
