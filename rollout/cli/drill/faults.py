"""What can be made to go wrong in a drill, and what must then come of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from rollout.cli.drill.rotation import Watch
from rollout.cli.drill.stage import DrillStage
from rollout.engine.outcome import RunOutcome
from rollout.model.event import Event
from rollout.model.plan import Plan


class Fault(Protocol):
    """``run`` may carry the plan out in its own way (None: as usual); ``after`` is told how it ended, and may mend
    what it broke and go on."""

    def before(self, stage: DrillStage) -> None: ...
    def during(self, stage: DrillStage, event: Event) -> None: ...
    def run(self, stage: DrillStage, plan: Plan, watch: Watch) -> RunOutcome | None: ...
    def after(self, stage: DrillStage, outcome: RunOutcome, watch: Watch) -> RunOutcome: ...


@dataclass(slots=True)
class NoFault:
    """Nothing goes wrong; the base of those that do."""

    def before(self, stage: DrillStage) -> None:
        del stage

    def during(self, stage: DrillStage, event: Event) -> None:
        del stage, event

    def run(self, stage: DrillStage, plan: Plan, watch: Watch) -> RunOutcome | None:
        del stage, plan, watch
        return None

    def after(self, stage: DrillStage, outcome: RunOutcome, watch: Watch) -> RunOutcome:
        del stage, watch
        return outcome
