"""One attempt at one step: gates, then the effect. However it ends, it ends as a value that can be recorded."""

from __future__ import annotations

import traceback
from dataclasses import replace

from rollout.engine.context import Interrupted, Run
from rollout.engine.effects.dispatch import carry_out
from rollout.engine.gates import ask_gates
from rollout.engine.outcome import EXIT_HELD, EXIT_INTERRUPTED, NEXT_HOPS_OF, StepOutcome, Word
from rollout.errors import RackrollError
from rollout.model.gate import Finding
from rollout.model.step import Step


def attempt(run: Run, step: Step) -> StepOutcome:
    """Never raises an ``Exception``: one that reached the journal would end the run for good."""
    began = run.clock.now()
    try:
        outcome = _try(run, step)
    except Interrupted:
        outcome = StepOutcome(Word.INTERRUPTED, "asked to stop", exit_code=EXIT_INTERRUPTED)
    except RackrollError as error:
        outcome = _failed(run, error)
    except Exception as error:
        text = f"a bug in rackroll: {type(error).__name__}: {error}"
        outcome = StepOutcome(Word.FAILED, text, exit_code=1, trace=traceback.format_exc())
    minimum, lost = run.gauge.take()
    changes = tuple((f"{NEXT_HOPS_OF}{vip}", count) for vip, count in run.gauge.take_changes())
    seconds = round(run.clock.now() - began, 3)
    return replace(
        outcome, seconds=seconds, min_in_rib=minimum, lost=lost, counts=(*outcome.counts, *changes)
    )


def _failed(run: Run, error: RackrollError) -> StepOutcome:
    """Ctrl-C reaches child processes too: what they then fail with is our stopping, not their fault."""
    if run.stop.is_set():
        return StepOutcome(Word.INTERRUPTED, f"asked to stop: {error}", exit_code=EXIT_INTERRUPTED)
    return StepOutcome(Word.FAILED, str(error), exit_code=error.exit_code)


def _try(run: Run, step: Step) -> StepOutcome:
    run.safe_point()
    gates = ask_gates(run, step)
    if gates.held:
        return _held(gates.held)
    result = carry_out(run, step.effect)
    if isinstance(result, tuple):
        return _held(result)
    forced = (f"{finding.check} {finding.detail}" for finding in gates.forced)
    detail = "; ".join(filter(None, (result.detail, *forced)))
    return StepOutcome(result.word, detail, counts=result.counts, facts=result.facts)


def _held(findings: tuple[Finding, ...]) -> StepOutcome:
    detail = "\n".join(f"{f.check} is {f.verdict.value}: {f.detail}\n  next: {f.hint}" for f in findings)
    return StepOutcome(Word.HELD, detail, exit_code=EXIT_HELD, findings=findings)
