"""Ask the checks a step names, inside the attempt: a replayed "open" would be a lie."""

from __future__ import annotations

from datetime import timedelta

from rollout.checks.catalogue import catalogue
from rollout.checks.registry import Check
from rollout.engine.check import ask
from rollout.engine.context import Run
from rollout.errors import PlanRefused
from rollout.model.gate import Finding, Verdict
from rollout.model.step import Step


def closed_gates(run: Run, step: Step) -> tuple[Finding, ...]:
    """What holds the step; empty when every gate is Open. Asks again for ``tempo.gate_patience`` before it holds."""
    checks = [_named(name) for name in step.gates]
    deadline = run.clock.now() + run.tempo.gate_patience / timedelta(seconds=1)
    while True:
        run.safe_point()
        held = tuple(f for f in ask(run, checks, step.node) if f.verdict is not Verdict.OPEN)
        if not held or run.clock.now() >= deadline:
            return held
        run.pause(run.tempo.poll)


def _named(name: str) -> Check:
    found = catalogue().get(name)
    if found is None:
        raise PlanRefused(
            f"the plan names an unknown gate {name}", hint="make the plan again with this version"
        )
    return found
