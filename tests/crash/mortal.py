"""rackroll in processes that die on cue: one fork for each command, killed at the journal boundary it is told.

    python -m tests.crash.mortal <log file>

Reads one command a line as JSON, ``{"argv": [...], "die": [step, moment] | null}``, and answers with how the process
ended and which boundary it stood at. Everything is imported once, before the first fork, so that a start costs what
rackroll does and not what Python's imports do. The product has no hook for any of this: a subclass's methods stand
in the place of the journal's.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from enum import StrEnum
from importlib import import_module
from pathlib import Path

from rollout.cli.main import run
from rollout.engine import durable
from rollout.engine.journal import RunRecord
from rollout.engine.outcome import StepOutcome

NEEDED = (
    "rollout.adapters.helm",
    "rollout.adapters.hosts.parent",
    "rollout.adapters.kube.cluster",
    "rollout.adapters.kube.workloads",
    "rollout.adapters.metrics",
    "rollout.adapters.probe",
    "rollout.adapters.signatures",
    "rollout.adapters.switches.port",
    "rollout.cli.apply",
    "rollout.cli.progress",
    "rollout.cli.world",
    "rollout.engine.run",
    "rollout.planner.codec",
    "rollout.site.load",
    "roles.istio.role",
    "roles.metallb.role",
)
"""What ``apply`` and ``resume`` import only when they run; one that is forgotten here costs time and nothing else."""


class Moment(StrEnum):
    """Of a step, in order. ``stored`` is step 0's: the plan is on disk and nothing was begun."""

    STORED = "plan stored"
    BEFORE = "before its effect"
    UNRECORDED = "after its effect, before its record"
    RECORDED = "after its record"


def die_at(step: int, moment: Moment) -> None:
    """From now on this process is killed by SIGKILL, as ``kill -9`` does it, when it stands at that boundary."""

    def reached(number: int, here: Moment) -> None:
        if (number, here) == (step, moment):
            os.kill(os.getpid(), signal.SIGKILL)

    durable._Session.once = _dying(durable._Session.once, reached)  # type: ignore[method-assign, assignment]
    add = durable.DurableJournal.add

    def adding(journal: durable.DurableJournal, record: RunRecord) -> None:
        add(journal, record)
        reached(0, Moment.STORED)

    durable.DurableJournal.add = adding  # type: ignore[method-assign, assignment]


Once = Callable[[durable._Session, str, Callable[[], StepOutcome]], tuple[StepOutcome, bool]]


def _dying(once: Once, reached: Callable[[int, Moment], None]) -> Once:
    def dying(
        session: durable._Session, name: str, make: Callable[[], StepOutcome]
    ) -> tuple[StepOutcome, bool]:
        number = int(name.split(" ", 1)[0])

        def attempt() -> StepOutcome:
            reached(number, Moment.BEFORE)
            outcome = make()
            if outcome.finished:
                reached(number, Moment.UNRECORDED)
            return outcome

        outcome, fresh = once(session, name, attempt)
        if fresh and outcome.finished:
            reached(number, Moment.RECORDED)
        return outcome, fresh

    return dying


def serve(log: Path) -> None:
    for name in NEEDED:
        import_module(name)
    for line in sys.stdin:
        command = json.loads(line)
        child = os.fork()
        if child == 0:
            _become(command, log)
        _, status = os.waitpid(child, 0)
        print(json.dumps({"pid": child, "code": os.waitstatus_to_exitcode(status)}), flush=True)


def _become(command: dict[str, list[str] | None], log: Path) -> None:
    """In the child: rackroll's own entry point, with its output in the log. Never returns."""
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(
        descriptor, f"\n$ rackroll {' '.join(command['argv'] or ())}  # dies: {command['die']}\n".encode()
    )
    null = os.open(os.devnull, os.O_RDONLY)
    for old, new in ((null, 0), (descriptor, 1), (descriptor, 2)):
        os.dup2(old, new)
    sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
    if command["die"]:
        die_at(int(command["die"][0]), Moment(command["die"][1]))
    code = 1
    try:
        run(command["argv"])
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
