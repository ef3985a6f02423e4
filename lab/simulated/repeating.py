"""A thread that does one thing again and again while its context is open."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self


class Repeating(ABC):
    """Calls ``tick`` every ``period`` seconds; ``halt`` ends it after the tick under way."""

    def __init__(self, name: str, *, period: float) -> None:
        self._period = period
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True, name=name)

    @abstractmethod
    def tick(self) -> None:
        """The one thing; an exception ends the thread, and with it the repetition."""

    def halt(self) -> None:
        self._over.set()
        self._thread.join()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.halt()

    def _run(self) -> None:
        while not self._over.wait(self._period):
            self.tick()
