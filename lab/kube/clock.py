"""Time as a dependency: controllers wait by asking the clock, so tests can turn the hands.

``VirtualClock`` needs no event loop; ``WallClock`` schedules on the running one.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    def now(self) -> datetime: ...
    def call_later(self, seconds: float, then: Callable[[], None]) -> None: ...


class WallClock:
    def now(self) -> datetime:
        return datetime.now(UTC)

    def call_later(self, seconds: float, then: Callable[[], None]) -> None:
        asyncio.get_running_loop().call_later(seconds, then)


class VirtualClock:
    """Moves only when told; what falls due on the way runs in order."""

    def __init__(self, start: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        self._now = start
        self._due: list[tuple[datetime, int, Callable[[], None]]] = []
        self._order = itertools.count()

    def now(self) -> datetime:
        return self._now

    def call_later(self, seconds: float, then: Callable[[], None]) -> None:
        heapq.heappush(self._due, (self._now + timedelta(seconds=seconds), next(self._order), then))

    def advance(self, seconds: float) -> None:
        until = self._now + timedelta(seconds=seconds)
        while self._due and self._due[0][0] <= until:
            self._now, _, then = heapq.heappop(self._due)
            then()
        self._now = until
