"""The plan is a value: what will be done, in which order, and every state it passes through."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from rollout.model.proof import Proof
from rollout.model.step import Step


class PlanKind(StrEnum):
    BRINGUP = "bringup"
    UPGRADE = "upgrade"
    MAINTAIN = "maintain"
    ROLLBACK = "rollback"
    ROTATE = "rotate"


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
class Hop:
    """One subject's step along the way of a plan that cannot go there at once.

    ``component`` is empty where the subject moves as one; Kubernetes' API servers and kubelets move apart.
    ``before`` and ``after`` are equal where a data plane that was left behind is brought up first.
    """

    subject: str
    before: str
    after: str
    component: str = ""


@dataclass(frozen=True, slots=True)
class NextHopChanges:
    """How often a VIP's next-hop set changes: each change may cost kept-alive connections without resilient hashing.

    ``naive`` is the same move done component by component, one drain for each.
    """

    vip: str
    planned: int
    naive: int


@dataclass(frozen=True, slots=True)
class Signatures:
    """``people`` different principals must sign the plan's id before it is applied."""

    purpose: str
    people: int


@dataclass(frozen=True, slots=True)
class Options:
    """What the operator asked for, kept in the plan so that a review sees it.

    ``limit`` is a node selector such as ``rack:r1,!r1n2``; ``max_fail`` is how many nodes may fail before the
    run stops (0 stops at the first); ``break_glass`` is the reason given for overriding what may be overridden.
    """

    limit: str = ""
    start_at: str = ""
    max_fail: int = 0
    break_glass: str = ""


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
    proof: Proof
    warnings: tuple[str, ...] = ()
    hops: tuple[Hop, ...] = ()
    next_hops: tuple[NextHopChanges, ...] = ()
    signatures: tuple[Signatures, ...] = ()
    options: Options = field(default_factory=Options)
    rules_as_of: str = ""

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
