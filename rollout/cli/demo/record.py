"""Ports that remember what went through them, so that the scoreboard counts what really happened."""

from __future__ import annotations

from collections.abc import Sequence

from rollout.engine.ports import HostOutcome, Hosts, PeerState, SwitchChange, Switches
from rollout.model.site import Address, Node, Switch


class RecordedHosts:
    """A Hosts port that keeps every outcome of a real (not dry) run."""

    def __init__(self, inner: Hosts) -> None:
        self._inner = inner
        self.outcomes: list[HostOutcome] = []

    def configure(self, nodes: Sequence[Node], *, dry_run: bool) -> tuple[HostOutcome, ...]:
        found = self._inner.configure(nodes, dry_run=dry_run)
        if not dry_run:
            self.outcomes.extend(found)
        return found


class RecordedSwitches:
    """A Switches port that keeps every applied change."""

    def __init__(self, inner: Switches) -> None:
        self._inner = inner
        self.changes: list[SwitchChange] = []

    def diff(self, switch: Switch) -> SwitchChange:
        return self._inner.diff(switch)

    def apply(self, switch: Switch) -> SwitchChange:
        change = self._inner.apply(switch)
        self.changes.append(change)
        return change

    def next_hops(self, switch: Switch, vip: Address) -> frozenset[Address]:
        return self._inner.next_hops(switch, vip)

    def peers(self, switch: Switch) -> tuple[PeerState, ...]:
        return self._inner.peers(switch)
