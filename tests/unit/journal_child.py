"""A process for the journal's crash tests: runs an upgrade in memory through the durable journal, and dies on cue.

    python -m tests.unit.journal_child <run dir> apply|apply-slowly|resume <kill at boundary, 0 for never> <state file>

The rack lives in the state file, because the world outlives the process that moves it.
"""

from __future__ import annotations

import os
import pickle
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from threading import Event

from rollout.engine.durable import DurableJournal
from rollout.engine.execute import Once
from rollout.engine.journal import Body
from rollout.engine.journalurl import journal_url
from rollout.engine.observe import observe
from rollout.engine.outcome import StepOutcome
from rollout.engine.run import apply, resume
from rollout.errors import RackrollError
from rollout.planner.request import asked
from rollout.planner.upgrade import plan_upgrade
from tests.unit.fake_world import TEMPO, FakeRack, running, world
from tests.unit.sites import site


class DyingJournal(DurableJournal):
    """Sends itself SIGKILL at the n-th boundary: two to each step, as in the in-memory crash test."""

    def __init__(self, folder: Path, name: str, at: int, save: Callable[[], None]) -> None:
        super().__init__(folder, name, journal_url(None))
        self._left = at
        self._save = save

    def drive(self, run: str, body: Body, stop: Event) -> StepOutcome | None:
        return super().drive(run, lambda once: body(self._dying(once)), stop)

    def _dying(self, once: Once) -> Once:
        def dying(name: str, make: Callable[[], StepOutcome]) -> tuple[StepOutcome, bool]:
            def attempt() -> StepOutcome:
                self._boundary()
                outcome = make()
                self._boundary()
                return outcome

            return once(name, attempt)

        return dying

    def _boundary(self) -> None:
        self._save()
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


class SlowClock:
    """Long waits twenty times slower than they say: for stopping in the middle of one. Polls take no time."""

    def __init__(self, rack: FakeRack) -> None:
        self._rack = rack

    def now(self) -> float:
        return self._rack.now()

    def wait(self, stop: Event, seconds: float) -> bool:
        return self._rack.wait(stop, seconds) or stop.wait(seconds * 20 if seconds > 1 else 0)


def main(folder: Path, verb: str, at: int, state: Path) -> int:
    rack = pickle.loads(state.read_bytes()) if state.exists() else fresh(folder)  # noqa: S301 - our own file
    live = world(rack)
    journal = DyingJournal(folder, rack.site.name, at, lambda: save(rack, state))
    save(rack, state)
    if verb.startswith("apply"):
        plan = plan_upgrade(asked(rack.site, observe(live), live.roles, ("istio", "1.31.1")))
        clock = SlowClock(rack) if verb == "apply-slowly" else rack
        outcome = apply(live, plan, journal, clock=clock, tempo=TEMPO)
    else:
        rack.wait(Event(), 3)
        outcome = resume(live, journal, clock=rack, tempo=TEMPO)
    save(rack, state)
    print(outcome.word.value, outcome.steps_done, outcome.steps_total, rack.lowest, rack.lost, rack.marked())
    return outcome.exit_code


def fresh(folder: Path) -> FakeRack:
    rack, _ = running(site((1, 1), feeds=1, workers=0, folder=folder))
    return rack


def save(rack: FakeRack, state: Path) -> None:
    aside = state.with_suffix(".tmp")
    aside.write_bytes(pickle.dumps(rack))
    aside.replace(state)


if __name__ == "__main__":
    try:
        sys.exit(main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), Path(sys.argv[4])))
    except RackrollError as refused:
        print(refused, file=sys.stderr)
        sys.exit(refused.exit_code)
