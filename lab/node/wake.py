"""Level-triggered waking: agents look at the whole truth again whenever something they care about moved."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable

from lab.kube.collection import Event
from lab.kube.resource import Resource
from lab.kube.store import Store

Interest = Callable[[Event], bool]

_BATCH = 0.01


def everything(_event: Event) -> bool:
    return True


class Wake:
    """One agent's alarm. Changes within 10 ms of each other wake it once."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def on(self, store: Store, resources: Iterable[Resource], interest: Interest = everything) -> None:
        def take_note(event: Event) -> None:
            if interest(event):
                self._event.set()

        for resource in resources:
            store.subscribe(resource, take_note)

    def set(self) -> None:
        self._event.set()

    async def wait(self, within: float) -> None:
        """Until something moved, or ``within`` seconds passed."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within):
                await self._event.wait()
                await asyncio.sleep(_BATCH)
        self._event.clear()
