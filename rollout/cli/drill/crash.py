"""Kill -9 in every phase: the plan is applied by a process of its own, which is killed once in each and resumed."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from pki.rotation.phase import Phase
from rollout.cli.drill.faults import NoFault
from rollout.cli.drill.rotation import PLAN, Watch, phase_of_step
from rollout.cli.drill.stage import DrillStage
from rollout.engine.opened import durable
from rollout.engine.outcome import RunOutcome, Word
from rollout.errors import StepFailed
from rollout.model.event import StepStarted
from rollout.model.plan import Plan

ROUNDS = 12
INTO = 0.4
"""Seconds into a step of the phase: late enough to have begun, early enough to be in it."""

_FINISHED = re.compile(r"\[(\d+)/\d+\]")
_COMMAND = "from rollout.cli.main import run; run()"


@dataclass(slots=True)
class Crash(NoFault):
    """``kills`` are the phases in which the process was killed, in order; none is killed in twice."""

    name: str = "crash"
    kills: list[str] = field(default_factory=list)

    def run(self, stage: DrillStage, plan: Plan, watch: Watch) -> RunOutcome | None:
        verb = ["apply", str(stage.site.folder / PLAN), "--yes"]
        for _ in range(ROUNDS):
            code = self._once(plan, [*verb, "-i", str(stage.site.folder)], watch)
            if code == 0:
                return _done(stage, plan)
            if code != -signal.SIGKILL:
                raise StepFailed(f"`rackroll {verb[0]}` ended with {code}", where="drill")
            verb = ["resume"]
        raise StepFailed(f"not finished after {ROUNDS} rounds", where="drill")

    def document(self) -> Mapping[str, object]:
        return {"name": self.name, "killed_in": list(self.kills)}

    def _once(self, plan: Plan, argv: list[str], watch: Watch) -> int:
        """One process from its start to its end; steps that it finished tell which one it is in."""
        steps = [(wave, stg, step) for _, wave, stg, step in plan.numbered()]
        process = subprocess.Popen(
            [sys.executable, "-c", _COMMAND, *argv],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "NO_COLOR": "1"},
        )
        for done in _finished(process):
            if done >= len(steps):
                continue
            wave, part, step = steps[done]
            watch(StepStarted(wave.name, part.name, done + 1, len(steps), step))
            phase = phase_of_step(step.key)
            if phase is not None and phase.value not in self.kills:
                self._kill(process, phase)
        return process.wait()

    def _kill(self, process: subprocess.Popen[str], phase: Phase) -> None:
        time.sleep(INTO)
        if process.poll() is None:
            process.kill()
            self.kills.append(phase.value)


def _finished(process: subprocess.Popen[str]) -> Iterator[int]:
    assert process.stderr is not None
    for line in process.stderr:
        found = _FINISHED.search(line)
        if found:
            yield int(found[1])


def _done(stage: DrillStage, plan: Plan) -> RunOutcome:
    run = durable(stage.site).runs()[-1].id
    total = len(stage.site.gateway_nodes)
    return RunOutcome(
        run, Word.DONE, "killed and resumed", 0, plan.steps, plan.steps, None, (), (), None, total, 0, ()
    )
