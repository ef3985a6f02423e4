"""The cluster on the machines: the very same bringup and upgrade as on the embedded lab, under traffic from outside."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from lab.host.enter import command
from lab.load.process import RunningLoad, from_outside, load_argv
from lab.load.tally import LoadCount
from tests.vm.conftest import Machines
from tests.vm.machine import eventually
from tests.vm.rackroll import Rackroll

RATE = 2.0
"""Requests a second on new connections: what emulated machines answer without a queue."""


@contextmanager
def load(machines: Machines) -> Iterator[RunningLoad]:
    argv = load_argv(machines.site.gateways[0], machines.site.probe, rate=RATE, keepalive=1)
    with RunningLoad(from_outside(machines.site, argv)) as running:
        eventually("the load is served", lambda: running.latest.sent - running.latest.lost > 10)
        yield running


def lost(before: LoadCount, after: LoadCount) -> tuple[int, int]:
    return after.lost - before.lost, after.keepalive_lost - before.keepalive_lost


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


def test_an_upgrade_node_by_node_loses_no_request(up: Rackroll, machines: Machines) -> None:
    with load(machines) as running:
        before = running.latest
        up.apply("plan", "upgrade", "--to", "istio=1.31.1")
        assert lost(before, running.latest) == (0, 0)
    assert up.json("status")["outcome"] == "done"
