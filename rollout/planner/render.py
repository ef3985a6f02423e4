"""A plan as plain text, for review: what moves, in which order, behind which gates, through which states."""

from __future__ import annotations

from collections.abc import Iterator

from rollout.model.plan import Hop, Plan, Wave
from rollout.planner.render_proof import render_proof
from rollout.planner.titles import title

_NAMED = 6


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
    yield from _asked(plan)
    yield from (f"  ! {warning}" for warning in plan.warnings)
    if plan.hops:
        yield "  path, for one walk over the nodes is not enough:"
        yield from (f"    {number}. {hop_words(hop)}" for number, hop in enumerate(plan.hops, 1))
    yield from _changes(plan)


def _asked(plan: Plan) -> Iterator[str]:
    options = plan.options
    wishes = (("limit", options.limit), ("start at", options.start_at), ("break glass", options.break_glass))
    for name, value in wishes:
        if value:
            yield f"  {name}: {value}"
    if options.max_fail:
        yield f"  stops once {options.max_fail + 1} nodes have failed"
    for signature in plan.signatures:
        people = "1 person" if signature.people == 1 else f"{signature.people} people"
        yield f"  to be signed by {people}: {signature.purpose}"


def hop_words(hop: Hop) -> str:
    name = f"{hop.subject} {hop.component}".strip()
    if hop.before == hop.after:
        return f"{name}: what was left behind is brought to {hop.after}"
    return f"{name} {hop.before} -> {hop.after}"


def _changes(plan: Plan) -> Iterator[str]:
    for change in plan.next_hops:
        yield (
            f"  VIP {change.vip}: its next-hops change {change.planned} times; "
            f"component by component it would be {change.naive}"
        )


def _waves(plan: Plan) -> Iterator[str]:
    number = 0
    for place, wave in enumerate(plan.waves, 1):
        yield ""
        yield f"Wave {place} of {len(plan.waves)}: {wave.name} ({_racks(wave)})"
        for stage in wave.stages:
            yield f"  Stage {stage.name}"
            for step in stage.steps:
                number += 1
                gates = f"  [{', '.join(step.gates)}]" if step.gates else ""
                yield f"  {number:4}. {title(step.effect)}{gates}"


def _racks(wave: Wave) -> str:
    shown = ", ".join(wave.racks[:_NAMED])
    return shown if len(wave.racks) <= _NAMED else f"{shown} and {len(wave.racks) - _NAMED} more"
