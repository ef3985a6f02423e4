"""Which real programs each kind of lab host runs, and which of them run now."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from lab import netns
from lab.node.ledger import PROCESSES, Ledger
from lab.process import PROC
from lab.state import HostState, Role, lab_folder, oob_namespace

EXPECTED: Mapping[Role, tuple[str, ...]] = {
    Role.NODE: ("sshd", "chronyd", "zebra", "bgpd", "bfdd"),
    Role.TOR: ("sshd", "zebra", "bgpd", "bfdd"),
    Role.SPINE: ("sshd", "zebra", "bgpd", "bfdd"),
    Role.CLIENT: ("sshd",),
    Role.TIME: ("sshd", "chronyd"),
}

CONTROL_PLANE = ("etcd", "kube-apiserver", "kube-controller", "kube-scheduler")
"""As the kernel names processes: 15 characters."""

Programs = Mapping[str, Counter[str]]
"""Running programs by lab host, counted."""


def running(hosts: Sequence[HostState]) -> Programs:
    found = netns.members(host.namespace for host in hosts)
    return {
        host.name: Counter(_program(process.pid) for process in found.get(host.namespace, ()))
        for host in hosts
    }


def control_plane(site: str) -> int:
    """How many of a real control plane's programs run in the lab's out-of-band namespace."""
    name = oob_namespace(site)
    found = {_program(process.pid) for process in netns.members([name]).get(name, ())}
    return sum(program in found for program in CONTROL_PLANE)


def started(folder: Path) -> Counter[str]:
    """What the node agents of this lab have started and still runs, in whichever namespace of its pod."""
    return Counter(_program(process.pid) for process in Ledger(lab_folder(folder) / PROCESSES).alive())


def stand_ins(folder: Path) -> int:
    """How many signers and pairs of the drill's simulated meshes run on this lab's nodes."""
    found = Ledger(lab_folder(folder) / PROCESSES).alive()
    return sum(bool({"lab.mesh.signer", "lab.mesh.pair"} & _words(process.pid)) for process in found)


def missing(host: HostState, programs: Programs) -> tuple[str, ...]:
    """What a host should run and does not; everything when its process 1 is gone."""
    if not host.init.alive:
        return EXPECTED[host.role]
    return tuple(name for name in EXPECTED[host.role] if programs[host.name][name] == 0)


def _words(pid: int) -> set[str]:
    try:
        return set((PROC / str(pid) / "cmdline").read_bytes().decode(errors="replace").split("\0"))
    except OSError:
        return set()


def _program(pid: int) -> str:
    try:
        return (PROC / str(pid) / "comm").read_text().strip()
    except OSError:
        return ""
