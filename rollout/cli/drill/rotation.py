"""One rotation on the stage, as an operator does it: planned, signed by two, applied; and timed phase by phase."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from pki.rotation.phase import Phase
from rollout.adapters.signatures import SshSigners
from rollout.cli.drill.site import PEOPLE
from rollout.cli.drill.stage import DrillStage
from rollout.cli.progress import Progress
from rollout.cli.rotate import course_and_plan
from rollout.cli.verified import require_verified
from rollout.engine.outcome import RunOutcome
from rollout.engine.run import apply, resume
from rollout.model.event import Event, StepFinished, StepStarted
from rollout.model.plan import Plan
from rollout.planner.codec import dump
from rollout.planner.rotate import Course

PLAN = "rotate.json"
Watch = Callable[[Event], None]


@dataclass(frozen=True, slots=True)
class PhaseTime:
    name: str
    seconds: float


PHASES = tuple(phase for phase in Phase if phase is not Phase.DONE)


@dataclass(slots=True)
class Timeline:
    """Seconds between the first step of a phase and the first of the next; ``preflight`` is the time of planning.

    A phase that a mesh does not have (Consul trusts and switches at once) took none."""

    preflight: float = 0.0
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
        marks = sorted(self.started.items(), key=lambda item: item[1])
        ends = [at for _, at in marks[1:]] + [self.ended]
        took = {phase: end - at for (phase, at), end in zip(marks, ends, strict=True)}
        took[Phase.PREFLIGHT] = self.preflight
        return tuple(PhaseTime(phase.value, round(took.get(phase, 0.0), 2)) for phase in PHASES)


def phase_of_step(key: str) -> Phase | None:
    """Keys are ``<mesh>/<phase>/...``; snapshots belong to no phase."""
    words = key.split("/")
    name = words[1].upper() if len(words) > 1 else ""
    return Phase(name) if name in Phase.__members__ else None


def planned(stage: DrillStage) -> tuple[Course, Plan]:
    """Saved beside the site file, as ``rackroll plan rotate --out`` would, and verified as ``apply`` would."""
    course, plan = course_and_plan(stage.world, stage.mesh)
    text, file = dump(plan), stage.site.folder / PLAN
    file.write_text(text, encoding="utf-8")
    require_verified(text, str(file), stage.site.folder)
    return course, plan


def sign(stage: DrillStage, plan: Plan) -> None:
    signers = SshSigners(stage.site)
    for name, key in zip(PEOPLE, stage.drill.keys, strict=True):
        signers.sign(plan.id, name, key)


def carry_out(stage: DrillStage, plan: Plan, watch: Watch) -> RunOutcome:
    with shown(f"rotation of {stage.mesh} on {stage.site.name}: {plan.steps} steps", watch) as both:
        return apply(stage.world, plan, observer=both)


def go_on(stage: DrillStage, watch: Watch) -> RunOutcome:
    with shown(f"resuming the rotation of {stage.mesh}", watch) as both:
        return resume(stage.world, observer=both)


@contextmanager
def shown(title: str, watch: Watch) -> Iterator[Watch]:
    """Events for the drill, and for whoever looks on."""
    with Progress(title) as progress:

        def both(event: Event) -> None:
            watch(event)
            progress.observe(event)

        yield both
