"""``python -m rollout.cli.drill.mortal SITE [PLAN]``: apply, or resume, in a process that may be killed at any moment.

What ``rackroll apply`` and ``rackroll resume`` do, but every event goes to stdout as a line as soon as it happens:
whoever is to kill in a certain step knows when it has begun.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Any, assert_never

from rollout.cli.world import build_world
from rollout.engine.run import apply, resume
from rollout.errors import RackrollError
from rollout.model.event import (
    Event,
    GatewaysSampled,
    RunFinished,
    StepFinished,
    StepHeld,
    StepSkipped,
    StepStarted,
    VipSample,
)
from rollout.model.gate import Finding, Verdict
from rollout.model.plan import Plan
from rollout.planner.codec import read_plan
from rollout.site.load import load_site


def line(event: Event) -> str:
    """Steps by their number: the plan is known on both sides."""
    match event:
        case StepStarted():
            told: dict[str, Any] = {"started": event.number}
        case StepFinished():
            took = event.took.total_seconds()
            told = {"finished": event.number, "took": took, "outcome": event.outcome, "detail": event.detail}
        case StepHeld():
            told = {"held": event.number, "findings": [asdict(finding) for finding in event.findings]}
        case StepSkipped():
            told = {"skipped": event.number, "detail": event.detail}
        case GatewaysSampled():
            told = {"sampled": asdict(event)}
        case RunFinished():
            told = {"ended": event.outcome, "detail": event.detail}
        case _:
            assert_never(event)
    return json.dumps(told)


def read(text: str, plan: Plan) -> Event | None:
    """None for a line that was cut off, or is no event's."""
    try:
        told = json.loads(text)
    except ValueError:
        return None
    total = plan.steps
    steps = {number: (wave, stage, step) for number, wave, stage, step in plan.numbered()}
    match told:
        case {"started": number}:
            wave, stage, step = steps[number]
            return StepStarted(wave.name, stage.name, number, total, step)
        case {"finished": number, "took": took, "outcome": outcome, "detail": detail}:
            return StepFinished(number, total, steps[number][2], timedelta(seconds=took), outcome, detail)
        case {"held": number, "findings": findings}:
            found = tuple(Finding(**{**each, "verdict": Verdict(each["verdict"])}) for each in findings)
            return StepHeld(number, total, steps[number][2], found)
        case {"skipped": number, "detail": detail}:
            return StepSkipped(number, total, steps[number][2], detail)
        case {"sampled": sample}:
            return GatewaysSampled(**{**sample, "vips": tuple(VipSample(**vip) for vip in sample["vips"])})
        case {"ended": outcome, "detail": detail}:
            return RunFinished(outcome, detail)
    return None


def main(site_folder: Path, plan_file: Path | None) -> int:
    world = build_world(load_site(site_folder))

    def tell(event: Event) -> None:
        print(line(event), flush=True)

    try:
        outcome = (
            apply(world, read_plan(plan_file), observer=tell) if plan_file else resume(world, observer=tell)
        )
    except RackrollError as error:
        print(f"rackroll: {error}", file=sys.stderr)
        return error.exit_code
    print(f"{outcome.word}: {outcome.detail}", file=sys.stderr)
    return outcome.exit_code


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else None))
