"""Drives controllers from store changes, with one coalescing queue: many changes to a key, one reconcile.

Reconciling is synchronous, so a reconcile sees one consistent state and its writes cannot interleave.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from lab.kube.collection import Event
from lab.kube.errors import ApiError
from lab.kube.objects import name_of, namespace_of
from lab.kube.resource import Resource
from lab.kube.store import Store

Key = tuple[str, str]
"""(namespace or "", name) of whatever the controller calls one unit of work."""
ToKeys = Callable[[Event], Iterable[Key]]

_log = logging.getLogger("lab.kube.controllers")
_BATCH = 100
_FIRST_RETRY = 0.1
_LAST_RETRY = 10.0


class Controller(Protocol):
    """``watches`` maps a change to keys; ``reconcile`` may return seconds after which to look again."""

    @property
    def watches(self) -> Mapping[Resource, ToKeys]: ...
    def reconcile(self, key: Key) -> float | None: ...


def own_key(event: Event) -> Iterable[Key]:
    """The changed object's own key."""
    yield (namespace_of(event.object) or "", name_of(event.object))


def owner_key(kind: str) -> ToKeys:
    """The key of the controlling owner, if it is a ``kind``; also of the one it had before the change."""

    def keys(event: Event) -> Iterable[Key]:
        for obj in (event.object, event.old):
            for owner in (obj or {}).get("metadata", {}).get("ownerReferences") or ():
                if owner.get("controller") and owner["kind"] == kind:
                    yield (namespace_of(event.object) or "", owner["name"])

    return keys


class ControlLoop:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._queue: dict[tuple[Controller, Key], None] = {}
        self._failures: dict[tuple[Controller, Key], int] = {}
        self._wake = asyncio.Event()

    def add(self, controller: Controller) -> None:
        for resource, to_keys in controller.watches.items():
            self._store.subscribe(resource, self._listener(controller, to_keys))

    def enqueue(self, controller: Controller, key: Key) -> None:
        self._queue[(controller, key)] = None
        self._wake.set()

    def settle(self, limit: int = 100_000) -> None:
        """Work until nothing is queued (what waits for the clock stays). Raises if it never comes to rest."""
        for _ in range(limit):
            if not self._queue:
                return
            self._one()
        raise RuntimeError(f"controllers did not settle in {limit} steps: {list(self._queue)[:3]}")

    async def run(self) -> None:
        """Work for ever, letting others run between batches."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._queue:
                for _ in range(min(_BATCH, len(self._queue))):
                    self._one()
                await asyncio.sleep(0)

    def _listener(self, controller: Controller, to_keys: ToKeys) -> Callable[[Event], None]:
        def listen(event: Event) -> None:
            for key in to_keys(event):
                self.enqueue(controller, key)

        return listen

    def _one(self) -> None:
        item = next(iter(self._queue))
        del self._queue[item]
        controller, key = item
        try:
            again = controller.reconcile(key)
        except ApiError as error:
            _log.info("%s %s: %s", type(controller).__name__, key, error)
            again = self._retry(item)
        except Exception:  # one broken object must not stop every controller
            _log.exception("%s %s failed", type(controller).__name__, key)
            again = self._retry(item)
        else:
            self._failures.pop(item, None)
        if again is not None:
            self._store.clock.call_later(again, lambda: self.enqueue(controller, key))

    def _retry(self, item: tuple[Controller, Key]) -> float:
        count = self._failures.get(item, 0)
        self._failures[item] = count + 1
        return float(min(_FIRST_RETRY * 2**count, _LAST_RETRY))
