"""One run's hands: the world, its clock, its stop signal. Every wait of the engine goes through here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event

from rollout.engine.aims import Aims
from rollout.engine.clock import Clock, SystemClock, Tempo
from rollout.engine.gauge import Gauge
from rollout.engine.ports import World
from rollout.errors import StepFailed, Unreachable
from rollout.model.site import Site

Look = Callable[[], str | None]


class Interrupted(Exception):
    """Someone asked the run to stop; raised only between effects, where stopping is safe."""


def _today() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Run:
    """``id`` marks what this run owns in the world. ``folder`` is the run directory, None where nothing is kept.

    ``today`` is wall-clock time, which windows go by. ``notes`` are the facts of the run's steps so far, those of
    earlier processes included.
    """

    id: str
    world: World
    clock: Clock = field(default_factory=SystemClock)
    tempo: Tempo = field(default_factory=Tempo)
    stop: Event = field(default_factory=Event)
    gauge: Gauge = field(default_factory=Gauge)
    folder: Path | None = None
    aims: Aims = field(default_factory=Aims)
    today: Callable[[], datetime] = _today
    notes: dict[str, str] = field(default_factory=dict)

    @property
    def site(self) -> Site:
        return self.world.site

    def pause(self, duration: timedelta) -> None:
        """Raises :class:`Interrupted` as soon as the run is asked to stop."""
        if self.clock.wait(self.stop, duration / timedelta(seconds=1)):
            raise Interrupted

    def safe_point(self) -> None:
        if self.stop.is_set():
            raise Interrupted

    def until(self, what: str, look: Look, *, hint: str) -> bool:
        """Look until nothing is missing; True if that was so at the first look.

        ``look`` says what is still missing, or None. A far end that does not answer is "not yet": it may be
        what we wait for. After ``pacing.step_timeout``: :class:`Unreachable` if it still does not answer,
        otherwise :class:`StepFailed` with what was missing last.
        """
        began = self.clock.now()
        deadline = began + self.site.pacing.step_timeout / timedelta(seconds=1)
        first = True
        while True:
            self.safe_point()
            silent: Unreachable | None = None
            try:
                missing = look()
            except Unreachable as error:
                silent, missing = error, error.message
            if missing is None:
                return first
            if self.clock.now() >= deadline:
                raise silent or self._too_late(what, missing, hint)
            first = False
            self.pause(self.tempo.between(self.clock.now() - began))

    def _too_late(self, what: str, missing: str, hint: str) -> StepFailed:
        limit = self.site.pacing.step_timeout / timedelta(seconds=1)
        return StepFailed(f"{what}: not within {limit:g} s; at last {missing}", hint=hint)
