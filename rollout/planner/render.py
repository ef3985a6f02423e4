"""A plan as plain text, for review: what moves, in which order, behind which gates, through which states."""

from __future__ import annotations

from collections.abc import Iterator

from rollout.model.plan import Plan
from rollout.planner.render_proof import render_proof
from rollout.planner.titles import title


def render_plan(plan: Plan) -> str:
    """Ends with a newline; no colour, no width: the command line and the golden files share it."""
    return "\n".join((*_head(plan), *_waves(plan), *render_proof(plan.proof))) + "\n"


def _head(plan: Plan) -> Iterator[str]:
    yield f"Plan {plan.id[:12]}: {plan.kind.value} of site {plan.site}"
    for target in plan.targets:
        yield f"  {target.subject}: {target.before or 'not installed'} -> {target.after}"
    if plan.steps == 0:
        yield "  nothing to do"
    else:
        yield f"  {plan.steps} steps in {len(plan.waves)} wave{'s' if len(plan.waves) > 1 else ''}"
    for warning in plan.warnings:
        yield f"  ! {warning}"


def _waves(plan: Plan) -> Iterator[str]:
    wave_seen = stage_seen = None
    for number, wave, stage, step in plan.numbered():
        if wave is not wave_seen:
            yield ""
            yield f"Wave {plan.waves.index(wave) + 1} of {len(plan.waves)}: {wave.name} ({', '.join(wave.racks)})"
        if wave is not wave_seen or stage is not stage_seen:
            yield f"  Stage {stage.name}"
        wave_seen, stage_seen = wave, stage
        gates = f"  [{', '.join(step.gates)}]" if step.gates else ""
        yield f"  {number:4}. {title(step.effect)}{gates}"
