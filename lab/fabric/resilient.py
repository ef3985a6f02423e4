"""``python -m lab.fabric.resilient <site folder>``: imitates a switch ASIC's resilient hashing. SIMULATED.

Real switches are told to hash resiliently: a next-hop that comes back takes over only idle flows. Linux has
that as resilient next-hop groups, but FRR 8.4 does not make them. So on ToRs and spine this watcher follows
the host routes that FRR puts into the kernel (the VIPs) and keeps, in a table that is looked up first, the
same route through a resilient group. It only ever repeats what FRR decided.
"""

from __future__ import annotations

import contextlib
import json
import selectors
import socket
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lab import netns
from lab.command import run
from lab.fabric.wiring import RESILIENT_TABLE
from lab.state import Role, read_state
from rollout.errors import RackrollError

BUCKETS = 4096
IDLE_SECONDS = 2
HIGHEST_ID = 1_000_000
LOWEST_ID = 500_000

_RTMGRP_IPV4_ROUTE = 0x40
_RESYNC_SECONDS = 10.0

Hop = tuple[str, str]
"""Gateway address and interface."""

Routes = Mapping[str, frozenset[Hop]]
"""VIP to its next-hops."""


@dataclass
class Table:
    """What one switch's resilient table holds, and the kernel ids given so far."""

    hops: dict[Hop, tuple[int, int]] = field(default_factory=dict)
    groups: dict[str, int] = field(default_factory=dict)
    routes: dict[str, frozenset[Hop]] = field(default_factory=dict)
    next_id: int = HIGHEST_ID

    def new_id(self) -> int:
        """Downwards: zebra goes on above the highest id it has seen in the kernel, so the two never meet."""
        self.next_id -= 1
        return self.next_id + 1


def changes(table: Table, wanted: Routes) -> Iterator[str]:
    """Lines for ``ip -batch`` that make the table as wanted; ``table`` is brought along."""
    for vip in sorted(set(table.routes) - set(wanted)):
        yield f"route del {vip} table {RESILIENT_TABLE}"
        yield f"nexthop del id {table.groups.pop(vip)}"
        del table.routes[vip]
    for vip, hops in sorted(wanted.items()):
        if table.routes.get(vip) != hops:
            yield from _repoint(table, vip, hops)


def _repoint(table: Table, vip: str, hops: frozenset[Hop]) -> Iterator[str]:
    """Replacing a group in place is what moves idle buckets only; a new group would move every flow.

    Each next-hop is in its group twice: in a group of one the kernel skips the hash, so that no bucket ever
    counts as busy, and the second member would take half of them at once.
    """
    for hop in sorted(hops - set(table.hops)):
        table.hops[hop] = (table.new_id(), table.new_id())
        for twin in table.hops[hop]:
            yield f"nexthop replace id {twin} via {hop[0]} dev {hop[1]}"
    members = "/".join(str(twin) for hop in sorted(hops) for twin in table.hops[hop])
    group = table.groups.get(vip) or table.groups.setdefault(vip, table.new_id())
    resilient = f"type resilient buckets {BUCKETS} idle_timer {IDLE_SECONDS}"
    yield f"nexthop replace id {group} group {members} {resilient}"
    if vip not in table.routes:
        yield f"route replace {vip} table {RESILIENT_TABLE} nhid {group}"
    table.routes[vip] = hops


def host_routes(found: Iterable[Mapping[str, Any]]) -> dict[str, frozenset[Hop]]:
    """The VIPs among ``ip -j route``: host routes (no prefix length shown) with gateways."""
    wanted = {}
    for route in found:
        hops = frozenset(_hops(route))
        if "/" not in route["dst"] and route["dst"] != "default" and hops:
            wanted[route["dst"]] = hops
    return wanted


def _hops(route: Mapping[str, Any]) -> Iterator[Hop]:
    for hop in route.get("nexthops", [route]):
        if "gateway" in hop and "dead" not in hop.get("flags", ()):
            yield hop["gateway"], hop["dev"]


class Switch:
    """One ToR or the spine: a netlink socket that wakes us, and the table we keep there."""

    def __init__(self, namespace: str) -> None:
        self.namespace = namespace
        self.table = Table()
        netns.join(namespace)
        self.wake = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        self.wake.bind((0, _RTMGRP_IPV4_ROUTE))
        self.wake.setblocking(False)
        self.reset()

    def follow(self) -> None:
        """Repeat FRR's routes; start over when the kernel disagrees (a link that went takes its hops along)."""
        try:
            self._make(self._wanted())
        except RackrollError as error:
            print(f"{self.namespace}: starting over: {error}", flush=True)
            self.reset()
            self._make(self._wanted())

    def reset(self) -> None:
        """Forget, and remove what an earlier watcher left; zebra's own next-hops have lower ids."""
        self.table = Table()
        self._ip([f"route flush table {RESILIENT_TABLE}"])
        found = json.loads(run(["ip", "-n", self.namespace, "-j", "nexthop"]) or "[]")
        ours = [item for item in found if LOWEST_ID <= item["id"] <= HIGHEST_ID]
        self._ip(
            [f"nexthop del id {item['id']}" for item in sorted(ours, key=lambda item: "group" not in item)]
        )

    def drain(self) -> None:
        """The events' content does not matter: the routes are read whole."""
        with contextlib.suppress(OSError):
            while self.wake.recv(65536):
                pass

    def _wanted(self) -> dict[str, frozenset[Hop]]:
        text = run(["ip", "-n", self.namespace, "-j", "route", "show", "table", "main", "proto", "bgp"])
        return host_routes(json.loads(text or "[]"))

    def _make(self, wanted: Routes) -> None:
        self._ip(list(changes(self.table, wanted)))

    def _ip(self, lines: list[str]) -> None:
        if lines:
            run(["ip", "-n", self.namespace, "-batch", "-"], stdin="".join(f"{line}\n" for line in lines))


def main(site_folder: str) -> None:
    """Watch every switch of the lab until killed."""
    state = read_state(Path(site_folder))
    selector = selectors.DefaultSelector()
    switches = [Switch(host.namespace) for host in state.hosts if host.role in (Role.TOR, Role.SPINE)]
    for switch in switches:
        selector.register(switch.wake, selectors.EVENT_READ, switch)
        switch.follow()
    while True:
        ready = [key.data for key, _ in selector.select(_RESYNC_SECONDS)]
        for switch in ready or switches:
            switch.drain()
            _follow(switch)


def _follow(switch: Switch) -> None:
    """One switch in trouble must not stop the others; the next event or resync tries again."""
    try:
        switch.follow()
    except RackrollError as error:
        print(f"{switch.namespace}: {error}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
