"""What the engine tells whoever watches. Presentation observes and never drives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from rollout.model.gate import Finding
from rollout.model.step import Step


@dataclass(frozen=True, slots=True)
class WavePlace:
    """Which wave of how many a step is in, and where in it."""

    number: int
    waves: int
    step: int
    steps: int


@dataclass(frozen=True, slots=True)
class StepStarted:
    wave: str
    stage: str
    number: int
    total: int
    step: Step
    place: WavePlace | None = None


@dataclass(frozen=True, slots=True)
class StepFinished:
    number: int
    total: int
    step: Step
    took: timedelta
    outcome: str  # "done" or "already"
    detail: str = ""
    counts: tuple[tuple[str, int], ...] = ()  # what was changed, e.g. ("hosts.changed", 3)


@dataclass(frozen=True, slots=True)
class StepHeld:
    number: int
    total: int
    step: Step
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class StepSkipped:
    """A step of a node that was put aside because it failed; it is tried again later."""

    number: int
    total: int
    step: Step
    detail: str


@dataclass(frozen=True, slots=True)
class VipSample:
    """One gateway's share of a sample; ``total`` is how many gateway nodes it should have."""

    gateway: str
    in_rib: int
    ready: int
    total: int


@dataclass(frozen=True, slots=True)
class GatewaysSampled:
    """One sample of the N-1 join while the run moves: next-hops in all ToR RIBs, per VIP the minimum is shown.

    ``lost`` counts fresh connections that the run's own outside probes have lost so far.
    """

    in_rib: int
    ready: int
    total: int
    lost: int
    vips: tuple[VipSample, ...] = ()


@dataclass(frozen=True, slots=True)
class RunFinished:
    outcome: str
    detail: str


Event = StepStarted | StepFinished | StepHeld | StepSkipped | GatewaysSampled | RunFinished
Observer = Callable[[Event], None]
