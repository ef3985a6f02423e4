"""The cluster on the machines: the very same bringup as on the embedded lab, and who answers from outside."""

from __future__ import annotations

import pytest

from lab.host.enter import command
from tests.vm.conftest import Machines
from tests.vm.rackroll import Rackroll


@pytest.fixture(scope="module")
def up(brought_up: Rackroll) -> Rackroll:
    return brought_up


def test_a_second_bringup_has_nothing_to_do(up: Rackroll) -> None:
    code, said = up.code("plan", "bringup", "--detailed-exitcode")
    assert code == 0, said


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
