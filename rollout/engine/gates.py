"""Ask the checks a step names, inside the attempt: a replayed "open" would be a lie."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from rollout.checks.catalogue import catalogue
from rollout.checks.registry import Check
from rollout.engine.check import ask
from rollout.engine.context import Run
from rollout.errors import PlanRefused
from rollout.model.gate import Finding, Verdict
from rollout.model.step import Step


@dataclass(frozen=True, slots=True)
class Answered:
    """``held`` is empty when every gate is Open; ``forced`` are those that only a reason for break-glass opened."""

    held: tuple[Finding, ...] = ()
    forced: tuple[Finding, ...] = ()


def ask_gates(run: Run, step: Step) -> Answered:
    """Asks again for ``tempo.gate_patience`` before it holds: one lost sample must not stop a night's work."""
    checks = [_named(name) for name in step.gates]
    deadline = run.clock.now() + run.tempo.gate_patience / timedelta(seconds=1)
    while checks:
        run.safe_point()
        findings = ask(run, checks, step.node)
        held = tuple(f for f in findings if f.verdict is not Verdict.OPEN)
        if not held or run.clock.now() >= deadline:
            return Answered(held, tuple(f for f in findings if f.forced))
        run.pause(run.tempo.poll)
    return Answered()


def _named(name: str) -> Check:
    found = catalogue().get(name)
    if found is None:
        raise PlanRefused(
            f"the plan names an unknown gate {name}", hint="make the plan again with this version"
        )
    return found
