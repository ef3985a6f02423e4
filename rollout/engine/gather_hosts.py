"""Clock and connection table of hosts, through the site's own command port: one short command each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TypeVar

from rollout.checks.facts import Absent, ClockFacts, SkewFacts, TableFacts, Unknown
from rollout.engine.context import Run
from rollout.engine.ports import NoCommands
from rollout.errors import RackrollError
from rollout.model.clock import Tracking, parse_tracking
from rollout.model.workload import Conntrack

T = TypeVar("T")
AT_ONCE = 16
"""Hosts asked at the same time when the whole site is: each is a login, and the answers wait for one another."""

_SOON = ("env", "LC_ALL=C", "timeout", "5")
CLOCK = (*_SOON, "chronyc", "-c", "tracking")
WALL = (*_SOON, "date", "+%s.%N")
TABLE = (
    *_SOON,
    "cat",
    "/proc/sys/net/netfilter/nf_conntrack_count",
    "/proc/sys/net/netfilter/nf_conntrack_max",
)


def clocks(run: Run, node: str | None) -> tuple[ClockFacts, ...] | Absent:
    """Of the node; for a whole site also of the control plane, which signs certificates by its clock."""
    if isinstance(run.world.commands, NoCommands):
        return Absent("simulated: no host here has a clock of its own")
    racks = {each.name: each.rack for each in run.site.nodes}
    hosts = (node,) if node else (*racks, *(host.name for host in run.site.kubernetes.control_plane))
    found = _each(hosts, lambda host: _clock(run, host))
    return tuple(ClockFacts(host, racks.get(host, ""), tracking) for host, tracking in found)


def skews(run: Run, node: str | None) -> tuple[SkewFacts, ...] | Absent:
    """Each host's wall clock beside ours. What chronyd thinks of its source is another question: a source may lie."""
    if isinstance(run.world.commands, NoCommands):
        return Absent("simulated: no host here has a clock of its own")
    hosts = (node,) if node else tuple(each.name for each in run.site.nodes)
    return tuple(facts for _, facts in _each(hosts, lambda host: _skew(run, host)))


def _skew(run: Run, host: str) -> SkewFacts:
    """What is left open is half of the time that the answer took. The login is no part of that: it may take seconds."""
    before = run.today()
    try:
        answer = run.world.commands.run(host, WALL)
        after = run.today()
        there = datetime.fromtimestamp(float(answer.output.split()[-1]), UTC)
    except RackrollError as error:
        return SkewFacts(host, Unknown(error.message))
    except (ValueError, IndexError, OverflowError):
        return SkewFacts(host, Unknown(f"`date` does not tell the time: {_said(answer.output)}"))
    asked = answer.sent or before
    half = (after - asked) / 2
    return SkewFacts(host, there - (asked + half), half)


def tables(run: Run, node: str | None) -> tuple[TableFacts, ...] | Absent:
    if isinstance(run.world.commands, NoCommands):
        return Absent("simulated: no host here has a connection table of its own")
    hosts = (node,) if node else tuple(each.name for each in run.site.nodes)
    return tuple(TableFacts(host, table) for host, table in _each(hosts, lambda host: _table(run, host)))


def _clock(run: Run, host: str) -> Tracking | Unknown:
    try:
        answer = run.world.commands.run(host, CLOCK)
    except RackrollError as error:
        return Unknown(error.message)
    found = [tracking for line in answer.output.splitlines() if (tracking := parse_tracking(line))]
    return found[0] if found else Unknown(f"chronyd does not answer: {_said(answer.output)}")


def _table(run: Run, host: str) -> Conntrack | Unknown:
    try:
        answer = run.world.commands.run(host, TABLE)
    except RackrollError as error:
        return Unknown(error.message)
    if answer.exit_code and "No such file" in answer.output:
        return Conntrack(0, 0)
    numbers = answer.output.split()
    if answer.exit_code or len(numbers) != 2 or not all(number.isdecimal() for number in numbers):
        return Unknown(f"its connection table cannot be read: {_said(answer.output)}")
    return Conntrack(int(numbers[0]), int(numbers[1]))


def _each(hosts: Sequence[str], ask: Callable[[str], T]) -> list[tuple[str, T]]:
    if len(hosts) < 2:
        return [(host, ask(host)) for host in hosts]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(zip(hosts, pool.map(ask, hosts), strict=True))


def _said(output: str) -> str:
    lines = output.strip().splitlines()
    return lines[-1][:200] if lines else "it said nothing"
