"""Time as the engine sees it: passed in, so that tests need not wait, and always interruptible."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import timedelta
from threading import Event
from typing import Protocol

PATIENT_AFTER = 5.0
"""Seconds: a route or a pod is back within them; an image that is pulled, or a kubelet, is not."""

SLOWER = 4


class Clock(Protocol):
    def now(self) -> float:
        """Monotonic seconds."""
        ...

    def wait(self, stop: Event, seconds: float) -> bool:
        """True if ``stop`` was set before the time was over."""
        ...


class SystemClock:
    def now(self) -> float:
        return time.monotonic()

    def wait(self, stop: Event, seconds: float) -> bool:
        return stop.wait(seconds)


@dataclass(frozen=True, slots=True)
class Tempo:
    """How often the engine looks. ``gate_patience`` lets a gate recover from one lost sample before it holds.

    ``sample_every`` None switches the background sampler off (only tests with their own clock do that).
    """

    poll: timedelta = timedelta(milliseconds=250)
    gate_patience: timedelta = timedelta(seconds=5)
    gate_probes: int = 5
    sample_every: timedelta | None = timedelta(milliseconds=300)

    def between(self, waited: float) -> timedelta:
        """The pause before the next look after so many seconds: what lasts long is asked about less often."""
        return self.poll if waited < PATIENT_AFTER else self.poll * SLOWER
