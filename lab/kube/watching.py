"""In-process watches: a queue per watcher, filled synchronously at commit, read with ``async for``."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable

from lab.kube.collection import Event
from lab.kube.errors import Gone

_LIMIT = 50_000


class Watch:
    """Events in commit order. A watcher that falls too far behind gets ``Gone`` and must list again."""

    def __init__(self, first: Iterable[Event], forget: Callable[[Watch], None]) -> None:
        self._events: deque[Event] = deque(first)
        self._forget = forget
        self._wake = asyncio.Event()
        self._closed = False
        self._lagged = False

    def push(self, event: Event) -> None:
        if len(self._events) >= _LIMIT:
            self._lagged = True
        else:
            self._events.append(event)
        self._wake.set()

    def close(self) -> None:
        self._closed = True
        self._forget(self)
        self._wake.set()

    def drain(self) -> list[Event]:
        """Everything that is waiting, at once, without waiting."""
        if self._lagged:
            self.close()
            raise Gone("too old resource version: the watcher fell behind")
        found = list(self._events)
        self._events.clear()
        return found

    async def wait(self) -> bool:
        """Until there is something to drain; False once the watch is closed."""
        while not (self._events or self._closed or self._lagged):
            self._wake.clear()
            await self._wake.wait()
        return not self._closed

    def __aiter__(self) -> Watch:
        return self

    async def __anext__(self) -> Event:
        if not await self.wait():
            raise StopAsyncIteration
        if self._lagged:
            self.drain()
        return self._events.popleft()
