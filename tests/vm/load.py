"""Requests from the outside client to the first VIP, for as long as a change lasts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from lab.load.process import RunningLoad, from_outside, load_argv
from lab.load.tally import LoadCount
from tests.vm.conftest import Machines
from tests.vm.machine import eventually

RATE = 2.0
"""Requests a second on new connections: what emulated machines answer without a queue."""

_PATIENT = ("--timeout", "30", "--max-seconds", "7200")
"""Seconds. An answer of a starved machine is late, not lost."""


@contextmanager
def load(machines: Machines) -> Iterator[RunningLoad]:
    argv = load_argv(machines.site.gateways[0], machines.site.probe, rate=RATE, keepalive=1)
    with RunningLoad(from_outside(machines.site, [*argv, *_PATIENT])) as running:
        eventually("the load is served", lambda: running.latest.sent - running.latest.lost > 10)
        yield running


def lost(before: LoadCount, after: LoadCount) -> tuple[int, int]:
    """On new connections, and on the one that is kept alive."""
    return after.lost - before.lost, after.keepalive_lost - before.keepalive_lost
