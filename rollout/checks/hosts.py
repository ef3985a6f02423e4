"""What a host's kernel and chronyd say. Off clocks break certificates, full tables connections: both in silence."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta
from typing import assert_never

from rollout.checks.facts import Absent, ClockFacts, Facts, TableFacts, Unknown
from rollout.checks.registry import Answer, Need, Registry, few, worst
from rollout.model.clock import Tracking
from rollout.model.gate import Verdict
from rollout.model.workload import Conntrack

HOSTS = Registry()
SILENT_SOURCE = timedelta(hours=3)
"""chrony asks at least every 1,024 s and gives a source up after 8 unanswered polls, about 2.3 h."""


@HOSTS.check(
    "CLOCK-OFFSET",
    Need.CLOCK,
    hint="look at `chronyc sources` there, and at the path to its time servers; then `rackroll resume`",
)
def clocks_are_right(facts: Facts) -> Answer:
    """Is the clock of the node (of every host, for a whole site) synchronised and within clock.maxOffset?"""
    if isinstance(facts.clocks, Absent):
        return Verdict.OPEN, facts.clocks.detail
    answers = [(clock.host, *_clock(clock, facts)) for clock in facts.clocks]
    verdict, detail = _together(answers, "there is no clock to look at")
    match verdict:
        case Verdict.OPEN:
            return verdict, _fine(facts)
        case Verdict.CLOSED:
            off = {host for host, found, _ in answers if found is verdict}
            return verdict, detail + _shared([c for c in facts.clocks if c.host in off], facts.clocks)
        case Verdict.INCONCLUSIVE:
            return verdict, detail
    assert_never(verdict)


def _together(answers: list[tuple[str, Verdict, str]], nothing: str) -> Answer:
    """Hosts that say the same share a sentence: a site-wide answer must stay readable."""
    verdict, _ = worst([(found, text) for _, found, text in answers], nothing)
    hosts: dict[str, list[str]] = defaultdict(list)
    for host, found, text in answers:
        if found is verdict:
            hosts[text].append(host)
    said = [f"{few(names)}: {text}" for text, names in hosts.items()]
    return verdict, few(said, "; ") if said else nothing


def _clock(clock: ClockFacts, facts: Facts) -> Answer:
    tracking = clock.tracking
    if isinstance(tracking, Unknown):
        return Verdict.INCONCLUSIVE, tracking.detail
    if tracking.offset is None:
        return Verdict.CLOSED, "not synchronised with any source"
    if tracking.offset > facts.max_offset:
        limit = f"at most {_ms(facts.max_offset)} allowed"
        return Verdict.CLOSED, f"{_ms(tracking.offset)} away from {tracking.source}, {limit}"
    silent = _silence(tracking, facts.now)
    if silent > SILENT_SOURCE:
        hours = silent / timedelta(hours=1)
        return Verdict.CLOSED, f"has heard nothing from {tracking.source} for {hours:.1f} h"
    return Verdict.OPEN, ""


def _silence(tracking: Tracking, now: datetime) -> timedelta:
    return now - tracking.updated if tracking.updated else timedelta(0)


def _shared(off: list[ClockFacts], all_: tuple[ClockFacts, ...]) -> str:
    """One node is a node; a whole rack is what the rack shares: its path to the time servers, or the server."""
    racks: dict[str, list[ClockFacts]] = defaultdict(list)
    for clock in all_:
        racks[clock.rack].append(clock)
    whole = [rack for rack, clocks in racks.items() if rack and len(clocks) > 1 and set(clocks) <= set(off)]
    if not whole:
        return ""
    sources = sorted(
        {c.tracking.source for c in off if isinstance(c.tracking, Tracking) and c.tracking.source}
    )
    named = f" (source {', '.join(sources)})" if sources else ""
    return (
        f"; that is every node of {', '.join(sorted(whole))}: look at the time source they share{named} first"
    )


def _fine(facts: Facts) -> str:
    if isinstance(facts.clocks, Absent) or not facts.clocks:
        return "there is no clock to look at"
    known = [(c.tracking.offset, c.host) for c in facts.clocks if isinstance(c.tracking, Tracking)]
    offset, host = max((offset, host) for offset, host in known if offset is not None)
    return f"{len(known)} within {_ms(facts.max_offset)}; the furthest is {host} with {_ms(offset)}"


def _ms(value: timedelta) -> str:
    return f"{value / timedelta(milliseconds=1):.3f} ms"


@HOSTS.check(
    "CONNTRACK-ROOM",
    Need.CONNTRACK,
    hint="raise nf_conntrack_max and shorten its timeouts, or wait for traffic to fall; then `rackroll resume`",
)
def connection_tables_have_room(facts: Facts) -> Answer:
    """Is the connection table below policy.conntrackLimit, and would the other gateways' hold this one's share?"""
    if isinstance(facts.tables, Absent):
        return Verdict.OPEN, facts.tables.detail
    answers = [(table.host, *_table(table, facts)) for table in facts.tables]
    verdict, detail = _together(answers, "there is no connection table to look at")
    return verdict, _fullest(facts.tables) if verdict is Verdict.OPEN and len(answers) > 1 else detail


def _fullest(tables: tuple[TableFacts, ...]) -> str:
    shares = [(_share(each.table), each.host) for each in tables if isinstance(each.table, Conntrack)]
    share, host = max(shares)
    return f"{len(tables)} tables have room; the fullest is {host}'s with {share:.0%}"


def _share(table: Conntrack) -> float:
    return table.count / table.maximum if table.maximum > 0 else 0.0


def _table(host: TableFacts, facts: Facts) -> Answer:
    table = host.table
    if isinstance(table, Unknown):
        return Verdict.INCONCLUSIVE, table.detail
    if table.maximum <= 0:
        return Verdict.OPEN, "netfilter keeps no table, or one without a limit"
    share, limit = _share(table), facts.policy.conntrack_limit
    said = f"{table.count} of {table.maximum} entries ({share:.0%})"
    if share > limit:
        return Verdict.CLOSED, f"{said}, at most {limit:.0%} allowed"
    after = share * _crowding(facts, host.host)
    if after >= 1:
        return (
            Verdict.CLOSED,
            f"{said}; with its flows spread over the other gateways each would need {after:.0%}",
        )
    return Verdict.OPEN, said


def _crowding(facts: Facts, host: str) -> float:
    """ToRs spread flows evenly: without one of n gateways each of the others gets n/(n-1) of what it had."""
    peers = max((len(g.nodes) for g in facts.gateways if host in g.nodes), default=0)
    return peers / (peers - 1) if peers > 1 and host == facts.node else 1.0
