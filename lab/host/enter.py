"""How to run a program inside a lab host, always without the powers that would reach the machine.

A process that kept CAP_SYS_TIME could move the machine's clock (a ``chronyd`` without ``-x`` does just
that), so nobody enters a host except through :func:`command` or over ssh.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lab.state import HostState, LabState, read_state
from rollout.errors import RackrollError, Unreachable

DROPPED = ("sys_time", "sys_module", "sys_boot", "syslog", "sys_rawio", "mknod", "wake_alarm")
"""Capabilities no lab process has: clock, modules, reboot, kernel log, raw devices."""


def bounding_set(*, but: str = "") -> str:
    """The value for setpriv's ``--bounding-set``; ``but``: the one capability that is kept all the same."""
    return ",".join(f"-{name}" for name in DROPPED if name != but)


def command(
    lab: LabState | Path, host: str, argv: Sequence[str], *, die_with_parent: bool = False
) -> list[str]:
    """The argv that runs ``argv`` inside ``host``: its mount, net, pid, uts and ipc namespaces.

    nsenter forks into the pid namespace: the started process is its only child (``lab.process.children``),
    and outlives it unless ``die_with_parent``, which sends SIGTERM to it when nsenter goes.
    Raises RackrollError for an unknown host and Unreachable for one that has died.
    """
    if not argv:
        raise RackrollError("no program to run inside the lab host", where=host)
    state = lab if isinstance(lab, LabState) else read_state(lab)
    return _entering(_living(state, host), argv, die_with_parent)


def _living(state: LabState, name: str) -> HostState:
    host = state.host(name)
    if not host.init.alive:
        hint = "run `rackroll lab up`: it starts it again"
        raise Unreachable("this lab host is not running", where=name, hint=hint)
    return host


def _entering(host: HostState, argv: Sequence[str], die_with_parent: bool) -> list[str]:
    enter = ["nsenter", f"--target={host.init.pid}", "--mount", "--uts", "--ipc", "--net", "--pid"]
    drop = ["setpriv", f"--bounding-set={bounding_set()}"]
    if die_with_parent:
        drop.append("--pdeathsig=TERM")
    return [*enter, "--", *drop, "--", *argv]
