"""One rotation on the stage, as an operator does it: planned, signed by two, applied; and timed phase by phase."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from pki.rotation.phase import Phase
from rollout.adapters.signatures import SshSigners
from rollout.cli.drill.site import PEOPLE
from rollout.cli.drill.stage import DrillStage
from rollout.cli.progress import Progress
from rollout.engine.course import course_of
from rollout.engine.observe import observe
from rollout.engine.outcome import RunOutcome
from rollout.engine.run import apply
from rollout.model.event import Event, StepFinished, StepStarted
from rollout.model.plan import Plan
from rollout.planner.codec import dump
from rollout.planner.request import asked
from rollout.planner.rotate import Course, plan_rotate

PLAN = "rotate.json"
Watch = Callable[[Event], None]


@dataclass(frozen=True, slots=True)
class PhaseTime:
    name: str
    seconds: float


@dataclass(slots=True)
class Timeline:
    """Seconds between the first step of a phase and the first of the next."""

    started: dict[Phase, float] = field(default_factory=dict)
    ended: float = 0.0

    def watch(self, event: Event) -> None:
        now = time.monotonic()
        if isinstance(event, StepStarted):
            phase = phase_of_step(event.step.key)
            if phase is not None:
                self.started.setdefault(phase, now)
        if isinstance(event, StepFinished):
            self.ended = now

    def phases(self) -> tuple[PhaseTime, ...]:
        marks = [*sorted(self.started.items(), key=lambda item: item[1])]
        ends = [at for _, at in marks[1:]] + [self.ended]
        return tuple(
            PhaseTime(phase.value, round(end - at, 2)) for (phase, at), end in zip(marks, ends, strict=True)
        )


def phase_of_step(key: str) -> Phase | None:
    """Keys are ``<mesh>/<phase>/...``; snapshots belong to no phase."""
    words = key.split("/")
    name = words[1].upper() if len(words) > 1 else ""
    return Phase(name) if name in Phase.__members__ else None


def planned(stage: DrillStage) -> tuple[Course, Plan]:
    """Saved beside the site file, as ``rackroll plan rotate --out`` would."""
    course = course_of(stage.world, stage.mesh)
    plan = plan_rotate(asked(stage.site, observe(stage.world), stage.world.roles), course)
    (stage.site.folder / PLAN).write_text(dump(plan), encoding="utf-8")
    return course, plan


def sign(stage: DrillStage, plan: Plan) -> None:
    signers = SshSigners(stage.site)
    for name, key in zip(PEOPLE, stage.drill.keys, strict=True):
        signers.sign(plan.id, name, key)


def carry_out(stage: DrillStage, plan: Plan, watch: Watch) -> RunOutcome:
    title = f"rotation of {stage.mesh} on {stage.site.name}: {plan.steps} steps"
    with Progress(title) as progress:

        def both(event: Event) -> None:
            watch(event)
            progress.observe(event)

        return apply(stage.world, plan, observer=both)
