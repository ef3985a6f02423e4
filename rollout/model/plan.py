"""The plan is a value: what will be done, in which order, and every state it passes through."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from rollout.model.step import Step


class PlanKind(StrEnum):
    BRINGUP = "bringup"
    UPGRADE = "upgrade"


@dataclass(frozen=True, slots=True)
class Stage:
    name: str
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Wave:
    name: str
    racks: tuple[str, ...]
    stages: tuple[Stage, ...]


@dataclass(frozen=True, slots=True)
class Target:
    """What a mesh (or metallb) moves from and to; ``before`` None means it is not installed."""

    subject: str
    before: str | None
    after: str


@dataclass(frozen=True, slots=True)
class ProvenState:
    """One state the plan passes through and the rules that hold in it; ``rollback`` marks the way back."""

    after_step: str
    control_plane: str
    data_plane: tuple[str, ...]
    gateways_serving: int
    gateways_total: int
    rules: tuple[str, ...]
    rollback: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """``id`` is the SHA-256 of the canonical JSON without the id itself."""

    id: str
    kind: PlanKind
    site: str
    site_digest: str
    observed_digest: str
    targets: tuple[Target, ...]
    waves: tuple[Wave, ...]
    proof: tuple[ProvenState, ...]
    warnings: tuple[str, ...] = ()

    def numbered(self) -> Iterator[tuple[int, Wave, Stage, Step]]:
        number = 0
        for wave in self.waves:
            for stage in wave.stages:
                for step in stage.steps:
                    number += 1
                    yield number, wave, stage, step

    @property
    def steps(self) -> int:
        return sum(len(stage.steps) for wave in self.waves for stage in wave.stages)
