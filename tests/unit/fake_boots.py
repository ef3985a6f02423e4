"""Reboots of the rack in memory: a host goes down a while after it was asked, and the API learns of it last of all."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol
from uuid import UUID

from rollout.engine.effects.boot import BOOT_ID, GOING_DOWN, asking
from rollout.engine.ports import CommandOutcome
from rollout.errors import Unreachable
from rollout.model.observed import NodeBoot

DIES, UP, TOLD = 0.5, 3.0, 6.0
"""Seconds after a reboot was asked for: the host is off, it answers again, the API speaks of its new boot."""
STARTS = 0.6


class Proxy(Protocol):
    node: str
    ready_at: float
    failing: bool


@dataclass(slots=True)
class Boots:
    """``reboots`` holds when each node's were accepted. ``refusals`` by node answer instead; a ``deaf`` node accepts
    and does nothing; with ``cut`` the session that asks is lost; ``mute`` kubelets report no boot id."""

    reboots: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    refusals: dict[str, CommandOutcome] = field(default_factory=dict)
    deaf: set[str] = field(default_factory=set)
    cut: bool = False
    mute: bool = False
    told_after: float = TOLD
    felt: set[tuple[str, float]] = field(default_factory=set)

    def boot(self, node: str, now: float, delay: float = UP) -> str:
        number = sum(now >= at + delay for at in self.reboots[node])
        return str(UUID(bytes=f"{node:.8}{number:08}".encode().rjust(16, b"-")[-16:]))

    def going_down(self, node: str, now: float) -> bool:
        return any(at <= now < at + DIES for at in self.reboots[node])

    def down(self, node: str, now: float) -> bool:
        return any(at + DIES <= now < at + UP for at in self.reboots[node])

    def answer(self, node: str, argv: Sequence[str], now: float) -> CommandOutcome | None:
        """None for what is no question about boots."""
        if self.down(node, now):
            raise Unreachable("cannot log in: no route to host", where=node)
        words = tuple(argv)
        if words == BOOT_ID:
            return CommandOutcome(0, self.boot(node, now) + "\n")
        if words == GOING_DOWN:
            going = self.going_down(node, now)
            return CommandOutcome(1 if going else 0, "stopping\nb true" if going else "running\nb false")
        if words == asking(words[-1]):
            return self._asked(node, words[-1], now)
        return None

    def _asked(self, node: str, boot: str, now: float) -> CommandOutcome:
        if boot != self.boot(node, now):
            return CommandOutcome(75, "")
        if node in self.refusals:
            return self.refusals[node]
        if node not in self.deaf:
            self.reboots[node].append(now)
        if self.cut:
            raise Unreachable("the connection ended before the command did: EOF", where=node)
        return CommandOutcome(0, "")

    def told(self, node: str, now: float, *, ready: bool) -> NodeBoot:
        """Ready all the while, as for a reboot that is over within the API's grace."""
        shown = self.boot(node, now, self.told_after)
        boot = "" if self.mute else shown.replace("-", "").upper()
        return NodeBoot(ready, boot, heartbeat=f"beat {shown}")

    def settle(self, pods: Iterable[Proxy], now: float) -> None:
        """What ran on a host that went off starts afresh once it is up: drained or not."""
        for node, times in self.reboots.items():
            for at in times:
                if now >= at + DIES and (node, at) not in self.felt:
                    self.felt.add((node, at))
                    for pod in (pod for pod in pods if pod.node == node):
                        pod.ready_at, pod.failing = at + UP + STARTS, False
