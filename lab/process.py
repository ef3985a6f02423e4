"""Processes of the lab, named so that a recycled process id is never mistaken for one of ours.

A pid alone is not enough after a crash: the number may belong to somebody else by then. The kernel's
start time (field 22 of ``/proc/<pid>/stat``, clock ticks since boot) makes the pair unique.
"""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class ProcessRef:
    """One process for good: ``started`` is in clock ticks since boot."""

    pid: int
    started: int

    @property
    def alive(self) -> bool:
        return start_time(self.pid) == self.started


def start_time(pid: int) -> int | None:
    """Start time of a living process; None when there is none, or only its zombie."""
    try:
        fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def reference(pid: int) -> ProcessRef:
    """The process that has this pid now; raises ProcessLookupError if it is already gone."""
    started = start_time(pid)
    if started is None:
        raise ProcessLookupError(pid)
    return ProcessRef(pid, started)


def children(pid: int) -> tuple[int, ...]:
    """Direct children; what ``nsenter`` or ``unshare`` forked into the host, seen from outside."""
    try:
        text = (PROC / str(pid) / "task" / str(pid) / "children").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ()
    return tuple(int(word) for word in text.split())


def stop(process: ProcessRef, *, grace: timedelta) -> None:
    """SIGTERM, then SIGKILL after ``grace``; nothing when it is gone, even if its pid lives on as another."""
    if _signal(process, signal.SIGTERM) and not gone(process, within=grace):
        _signal(process, signal.SIGKILL)
        gone(process, within=timedelta(seconds=2))


def kill(process: ProcessRef) -> None:
    _signal(process, signal.SIGKILL)


def gone(process: ProcessRef, *, within: timedelta) -> bool:
    deadline = time.monotonic() + within.total_seconds()
    while process.alive:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def _signal(process: ProcessRef, number: signal.Signals) -> bool:
    if not process.alive:
        return False
    try:
        os.kill(process.pid, number)
    except ProcessLookupError:
        return False
    return True
