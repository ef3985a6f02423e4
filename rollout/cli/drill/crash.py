"""Kill -9 in every phase: planning is killed once, and the run in the first and in a middle step of each phase."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pki.rotation.phase import Phase
from rollout.cli.drill.faults import NoFault
from rollout.cli.drill.mortal import read
from rollout.cli.drill.rotation import PLAN, Watch, phase_of_step, shown
from rollout.cli.drill.stage import DrillStage
from rollout.engine.opened import durable
from rollout.engine.outcome import RunOutcome, Word
from rollout.errors import StepFailed
from rollout.model.event import Event, StepStarted
from rollout.model.plan import Plan

INTO = 0.2
"""Seconds into a step: late enough to have begun, early enough to be in it."""

PLANNING = (1.6, 1.0, 0.5)
"""Seconds after which a planning process is killed; the next one where it was done by then."""

_KILLED = "-m", "rollout.cli.drill.mortal"
_PLANNER = "-c", "from rollout.cli.main import run; run()", "plan", "rotate"


@dataclass(slots=True)
class Crash(NoFault):
    """``kills`` are the steps in which a process was killed, by phase."""

    name: str = "crash"
    kills: dict[Phase, list[str]] = field(default_factory=dict)

    def before(self, stage: DrillStage) -> None:
        """PREFLIGHT: planning changes nothing, so nothing can be left of it."""
        file = stage.site.folder / "killed.json"
        words = (*_PLANNER, "--mesh", stage.mesh, "-i", str(stage.site.folder), "--out", str(file))
        for delay in PLANNING:
            process = _begin(words)
            try:
                time.sleep(delay)
                if process.poll() is None:
                    process.kill()
                    self.kills[Phase.PREFLIGHT] = [f"plan rotate, after {delay:g} s"]
                    break
            finally:
                _end(process)
        if file.exists():
            raise StepFailed("a planning process was killed and left a plan", where=str(file))

    def run(self, stage: DrillStage, plan: Plan, watch: Watch) -> RunOutcome | None:
        folder, rest = str(stage.site.folder), _targets(plan)
        words = [*_KILLED, folder, str(stage.site.folder / PLAN)]
        title = f"rotation of {stage.mesh}, killed {len(rest)} times: {plan.steps} steps"
        with shown(title, watch) as both:
            for _ in range(len(rest) + 1):
                code, said = self._once(plan, words, rest, both)
                if code == 0:
                    self._require_all(plan)
                    return _done(stage, plan)
                if code != -signal.SIGKILL:
                    raise StepFailed(
                        f"a process that was not killed ended with {code}: {said}", where="drill"
                    )
                words = [*_KILLED, folder]
        raise StepFailed(f"killed {len(rest)} times, resumed as often, and not finished", where="drill")

    def document(self) -> Mapping[str, object]:
        return {"name": self.name, "killed_in": {phase.value: steps for phase, steps in self.kills.items()}}

    def _once(self, plan: Plan, words: Sequence[str], rest: set[int], watch: Watch) -> tuple[int, str]:
        """One process from its start to its end. What it still says after its death tells where it died."""
        last: StepStarted | None = None
        process = _begin(words)
        try:
            for event in _events(process, plan):
                watch(event)
                if isinstance(event, StepStarted):
                    last = event
                    if event.number in rest and process.poll() is None:
                        rest.discard(event.number)
                        time.sleep(INTO)
                        process.kill()
            assert process.stderr is not None
            code, said = process.wait(), process.stderr.read().strip()
        finally:
            _end(process)
        phase = phase_of_step(last.step.key) if last else None
        if code == -signal.SIGKILL and last and phase:
            self.kills.setdefault(phase, []).append(last.step.key)
        return code, said

    def _require_all(self, plan: Plan) -> None:
        wanted = {phase_of_step(step.key) for _, _, _, step in plan.numbered()} - {None} | {Phase.PREFLIGHT}
        missed = sorted(phase.value for phase in wanted - self.kills.keys() if phase)
        if missed:
            raise StepFailed(
                f"no process was killed in {', '.join(missed)}: nothing was shown", where="drill"
            )


def _targets(plan: Plan) -> set[int]:
    """The first and a middle step of each phase."""
    steps: dict[Phase, list[int]] = {}
    for number, _, _, step in plan.numbered():
        phase = phase_of_step(step.key)
        if phase is not None:
            steps.setdefault(phase, []).append(number)
    return {number for found in steps.values() for number in (found[0], found[len(found) // 2])}


def _begin(words: Sequence[str]) -> subprocess.Popen[str]:
    """It dies with the drill, however that ends: nobody would be there to end it."""
    return subprocess.Popen(
        ["setpriv", "--pdeathsig=KILL", sys.executable, *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).resolve().parents[3],
        env={**os.environ, "NO_COLOR": "1"},
    )


def _end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait()
    for stream in (process.stdout, process.stderr):
        if stream is not None:
            stream.close()


def _events(process: subprocess.Popen[str], plan: Plan) -> Iterator[Event]:
    assert process.stdout is not None
    for text in process.stdout:
        event = read(text, plan)
        if event is not None:
            yield event


def _done(stage: DrillStage, plan: Plan) -> RunOutcome:
    run = durable(stage.site).runs()[-1].id
    total = len(stage.site.gateway_nodes)
    return RunOutcome(
        run, Word.DONE, "killed and resumed", 0, plan.steps, plan.steps, None, (), (), None, total, 0, ()
    )
