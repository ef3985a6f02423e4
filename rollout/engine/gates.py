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
from rollout.model.step import AwaitNodeReady, RestoreGateways, Step

SLOW = timedelta(seconds=5)
"""Between two looks at what may take minutes to end."""


@dataclass(frozen=True, slots=True)
class Answered:
    """``held`` is empty when every gate is Open; ``forced`` are those that only a reason for break-glass opened."""

    held: tuple[Finding, ...] = ()
    forced: tuple[Finding, ...] = ()


def ask_gates(run: Run, step: Step) -> Answered:
    """Asks again for ``tempo.gate_patience`` before it holds: one lost sample must not stop a night's work.

    Where all that is closed may end by itself it asks on, less often, for ``pacing.step_timeout``: as long as the
    step itself would wait. So does the gate of a wait: chronyd finds its sources some time after a reboot.
    """
    checks = [_named(name) for name in step.gates]
    began = run.clock.now()
    while checks:
        run.safe_point()
        findings = ask(run, checks, step.node)
        held = tuple(f for f in findings if f.verdict is not Verdict.OPEN)
        waited = timedelta(seconds=run.clock.now() - began)
        if not held or waited >= _patience(run, step, held):
            return Answered(held, tuple(f for f in findings if f.forced))
        run.pause(run.tempo.poll if waited < run.tempo.gate_patience else SLOW)
    return Answered()


def _patience(run: Run, step: Step, held: tuple[Finding, ...]) -> timedelta:
    short = run.tempo.gate_patience
    waits = isinstance(step.effect, AwaitNodeReady | RestoreGateways)
    return max(short, run.site.pacing.step_timeout) if waits or all(f.passing for f in held) else short


def _named(name: str) -> Check:
    found = catalogue().get(name)
    if found is None:
        raise PlanRefused(
            f"the plan names an unknown gate {name}", hint="make the plan again with this version"
        )
    return found
