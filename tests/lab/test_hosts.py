"""Kernel and clock on real hosts: rackroll and plain pyinfra agree, the second run changes nothing, lies are caught."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from rollout.adapters.hosts import PyinfraHosts
from rollout.engine.ports import HostOutcome
from rollout.model.site import Node, Site
from tests.lab.rack import ROOT, running_lab, shell

pytestmark = pytest.mark.lab

FILES = "cat /etc/sysctl.d/99-rackroll.conf /etc/chrony/chrony.conf"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running_lab(tmp_path_factory.mktemp("labhosts")) as running:
        yield running


@pytest.fixture
def configured(site: Site) -> Site:
    assert errors(configure(site, site.nodes)) == {}
    return site


def configure(site: Site, nodes: Sequence[Node], *, dry_run: bool = False) -> tuple[HostOutcome, ...]:
    return PyinfraHosts(site).configure(nodes, dry_run=dry_run)


def errors(outcomes: Sequence[HostOutcome]) -> dict[str, str]:
    return {outcome.node: outcome.error for outcome in outcomes if outcome.error}


def changed(outcomes: Sequence[HostOutcome]) -> dict[str, int]:
    return {outcome.node: len(outcome.changed) for outcome in outcomes if outcome.changed}


def plain_pyinfra(site: Site, *nodes: str) -> str:
    """The stock command, as a newcomer would type it."""
    done = subprocess.run(
        [
            *(str(Path(sys.executable).with_name("pyinfra")), "-y"),
            *(word for node in nodes for word in ("--limit", node)),
            *(str(site.folder / "hosts.py"), "deploys/node.py"),
        ],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def test_the_first_run_changes_each_host_and_the_second_none(site: Site) -> None:
    every = {node.name: 2 for node in site.nodes}
    before = shell(site.nodes[0].ssh, "sysctl -n net.core.somaxconn")
    assert changed(configure(site, site.nodes, dry_run=True)) == every
    assert shell(site.nodes[0].ssh, "sysctl -n net.core.somaxconn") == before
    first = configure(site, site.nodes[:3])
    report = plain_pyinfra(site, *(node.name for node in site.nodes[3:]))
    assert (errors(first), changed(first)) == ({}, {node.name: 2 for node in site.nodes[:3]})
    assert report.partition("--> Results")[0].count("Success") == 6, report
    began = time.monotonic()
    second = configure(site, site.nodes)
    assert (errors(second), changed(second)) == ({}, {})
    assert time.monotonic() - began < 10
    again = plain_pyinfra(site, "r1n1", "r2n1").partition("--> Results")[0]
    assert (again.count("No changes"), again.count("Success")) == (4, 0)


def test_both_ways_leave_the_same_files(configured: Site) -> None:
    texts = {shell(node.ssh, FILES) for node in configured.nodes}
    assert len(texts) == 1
    assert configured.clock.servers[0] in texts.pop()


def test_every_key_reads_as_wanted_live_over_an_independent_ssh(configured: Site) -> None:
    keys = [key for key, _ in configured.kernel.sysctls]
    live = shell(configured.node("r2n3").ssh, f"sysctl -n {' '.join(keys)}").splitlines()
    assert [" ".join(value.split()) for value in live] == [value for _, value in configured.kernel.sysctls]


def test_a_drifted_value_is_put_back_and_only_on_its_host(configured: Site) -> None:
    shell(configured.node("r1n2").ssh, "sysctl -q -w net.core.somaxconn=1024")
    assert changed(configure(configured, configured.nodes)) == {"r1n2": 1}
    assert shell(configured.node("r1n2").ssh, "sysctl -n net.core.somaxconn").strip() == "65535"


def test_conntrack_raised_by_another_writer_is_no_drift(configured: Site) -> None:
    shell(configured.node("r1n2").ssh, "sysctl -q -w net.netfilter.nf_conntrack_max=2097152")
    assert changed(configure(configured, [configured.node("r1n2")])) == {}


def test_a_file_that_would_win_at_the_next_boot_is_named(configured: Site) -> None:
    node = configured.node("r1n3")
    shell(node.ssh, "echo net.core.somaxconn=128 > /etc/sysctl.d/99-zz-vendor.conf")
    try:
        (outcome,) = configure(configured, [node])
        assert "net.core.somaxconn (/etc/sysctl.d/99-zz-vendor.conf): wanted '65535', got '128'" in str(
            outcome.error
        )
    finally:
        shell(node.ssh, "rm /etc/sysctl.d/99-zz-vendor.conf")
    assert changed(configure(configured, [node])) == {}


def test_an_unreachable_host_is_reported_and_the_others_are_configured(configured: Site) -> None:
    dead = replace(configured.node("r1n1"), ssh=replace(configured.node("r1n1").ssh, port=9))
    stranger = replace(
        configured.node("r1n2"), ssh=replace(configured.node("r1n2").ssh, known_hosts=Path("/dev/null"))
    )
    shell(configured.node("r1n3").ssh, "sysctl -q -w net.core.somaxconn=1024")
    outcomes = configure(configured, [dead, stranger, configured.node("r1n3")])
    assert "Could not connect" in errors(outcomes)["r1n1"]
    assert "No host key" in errors(outcomes)["r1n2"]
    assert changed(outcomes) == {"r1n3": 1}


def test_a_skewed_time_source_is_an_error_with_host_offset_and_source(configured: Site) -> None:
    """A real chronyd on one node serves time that is 250 ms off; the node that follows it must be refused."""
    liar, victim = configured.node("r1n3"), configured.node("r1n1")
    shell(liar.ssh, _LIAR.format(server=configured.clock.servers[0]))
    lied = replace(configured, clock=replace(configured.clock, servers=(str(liar.fabric_address),)))
    try:
        (outcome,) = configure(lied, [victim])
    finally:
        shell(liar.ssh, "kill $(cat /run/liar/pid)")
    told = str(outcome.error)
    assert "clock of r1n1: 2" in told
    assert f"ms away from {liar.fabric_address}, at most 50.000 ms allowed" in told
    assert changed(configure(configured, [victim])) == {"r1n1": 1}


_LIAR = """
mkdir -p /run/liar; chmod 750 /run/liar
printf '%s\\n' 'server {server} iburst minpoll 0 offset 0.25' 'allow all' 'local stratum 9' 'cmdport 0' \
  'pidfile /run/liar/pid' 'bindcmdaddress /run/liar/sock' > /run/liar/conf
chronyd -x -u root -f /run/liar/conf
for i in $(seq 100); do chronyc -h /run/liar/sock -c tracking | grep -q Normal && exit 0; sleep 0.1; done
exit 1
"""


def test_a_server_that_does_not_answer_is_not_taken_for_a_good_clock(configured: Site) -> None:
    silent = replace(configured, clock=replace(configured.clock, servers=("10.255.0.250",)))
    (outcome,) = configure(silent, [configured.node("r1n1")])
    assert "clock of r1n1: not synchronised with any of 10.255.0.250" in str(outcome.error)
    assert outcome.changed == ()
    assert errors(configure(configured, [configured.node("r1n1")])) == {}
