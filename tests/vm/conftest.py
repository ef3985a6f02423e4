"""One lab of virtual machines for the whole room, configured by the product as a bringup would.

RACKROLL_VM_KEEP=1 leaves it up (and a second run then begins at once); otherwise it is gone at the end.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest
import yaml

from lab.vm import hypervisor, lifecycle
from lab.vm.state import VmState
from rollout.adapters.hosts.parent import PyinfraHosts
from rollout.cli.demo.stage import ECHO_APP
from rollout.cli.lab_runs import write_off_run
from rollout.cli.world import build_world
from rollout.engine.ports import HostOutcome, SwitchChange, World
from rollout.model.site import Site
from rollout.site.load import load_site
from tests.vm.machine import Shell
from tests.vm.rackroll import Rackroll


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """An emulated machine takes minutes to reboot: the bound is there for what hangs."""
    for item in items:
        item.add_marker(pytest.mark.timeout(3600))


@dataclass(frozen=True, slots=True)
class Machines:
    """The running lab: its site, the product's own adapters for it, and its hypervisor."""

    site: Site
    world: World
    state: VmState

    def shell(self, host: str) -> Shell:
        nodes = {node.name: node.ssh for node in self.site.nodes}
        return Shell(host, (nodes | {switch.name: switch.ssh for switch in self.site.switches})[host])

    def local(self, argv: Sequence[str]) -> str:
        """A program on this machine, such as one that enters a host beside the machines."""
        done = subprocess.run(argv, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def virsh(self, verb: str, host: str) -> None:
        hypervisor.virsh(self.state.hypervisor, verb, f"vagrant_{host}")


@pytest.fixture(scope="session")
def machines() -> Iterator[Machines]:
    folder = lifecycle.default_folder()
    try:
        state = lifecycle.up(folder, progress=lambda line: print(f"==> {line}", file=sys.stderr))
        site = load_site(folder)
        yield Machines(site, _patient(build_world(site)), state)
    finally:
        if not os.environ.get("RACKROLL_VM_KEEP") and lifecycle.down(folder):
            write_off_run(folder)


def _patient(world: World) -> World:
    hosts = PyinfraHosts(world.site, timeout=timedelta(minutes=30), connect_timeout=timedelta(minutes=2))
    return replace(world, hosts=hosts)


@pytest.fixture(scope="session")
def configured(machines: Machines) -> tuple[HostOutcome, ...]:
    """Kernel and clock of every node, as the product's bringup does it. The outcomes of the first time."""
    return machines.world.hosts.configure(machines.site.nodes, dry_run=False)


@pytest.fixture(scope="session")
def switched(machines: Machines) -> tuple[SwitchChange, ...]:
    """Every ToR with its nodes' BGP and BFD, as the product's bringup does it."""
    return tuple(machines.world.switches.apply(switch) for switch in machines.site.switches)


@pytest.fixture(scope="session")
def brought_up(machines: Machines) -> Rackroll:
    """The whole site, from its own plan: hosts, ToRs, MetalLB, mesh, gateways, and something to serve."""
    rackroll = Rackroll(machines.site.folder)
    machines.world.cluster.apply([doc for doc in yaml.safe_load_all(ECHO_APP.read_text("utf-8")) if doc])
    rackroll.run("pki", "init")
    rackroll.apply("plan", "bringup")
    return rackroll


@pytest.fixture(scope="session")
def rebooted(machines: Machines, configured: tuple[HostOutcome, ...]) -> Shell:
    """r1n1, configured and then booted anew: what is true of it now does not come from us, but from its files."""
    assert all(outcome.error is None for outcome in configured), configured
    shell = machines.shell("r1n1")
    shell.reboot()
    return shell
