"""How a step and a run can end. All of these are values: "held" and "failed" are recorded, not raised."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from rollout.model.gate import Finding, Verdict


class Word(StrEnum):
    """``already`` is a success that changed nothing; ``skipped`` is put off because its node failed before.

    The last three end the run and can be resumed.
    """

    DONE = "done"
    ALREADY = "already"
    SKIPPED = "skipped"
    HELD = "held"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


EXIT_HELD = 5
EXIT_ROLLED_BACK = 6
EXIT_INTERRUPTED = 130
NEXT_HOPS_OF = "next-hops.changed."
"""Counts under this prefix and a VIP say how often its next-hop set was seen to change during the attempt."""


@dataclass(frozen=True, slots=True)
class Done:
    """What an effect did. ``counts`` says how much it changed, for instance ("hosts.changed", 3).

    ``facts`` are for later steps of the run, whatever process runs them: what was seen and cannot be seen again.
    """

    word: Word
    detail: str = ""
    counts: tuple[tuple[str, int], ...] = ()
    facts: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class StepOutcome:
    """One attempt at one step, as the journal keeps it.

    ``min_in_rib`` is the fewest gateways the sampler saw during the attempt, None if it saw nothing;
    ``lost`` counts the engine's own outside probes that failed; ``trace`` is set only by a bug in rackroll;
    ``facts`` are the effect's own (see Done), and none of an attempt that did not finish.
    """

    word: Word
    detail: str = ""
    seconds: float = 0.0
    exit_code: int = 0
    counts: tuple[tuple[str, int], ...] = ()
    findings: tuple[Finding, ...] = ()
    min_in_rib: int | None = None
    lost: int = 0
    trace: str = ""
    facts: tuple[tuple[str, str], ...] = ()

    @property
    def finished(self) -> bool:
        return self.word in (Word.DONE, Word.ALREADY)

    @property
    def settled(self) -> bool:
        """Nothing more is tried for now."""
        return self.finished or self.word is Word.SKIPPED


def to_json(outcome: StepOutcome) -> str:
    findings = [[f.check, f.verdict.value, f.detail, f.hint] for f in outcome.findings]
    raw = {name: getattr(outcome, name) for name in StepOutcome.__dataclass_fields__}
    return json.dumps({**raw, "word": outcome.word.value, "findings": findings}, sort_keys=True)


def from_json(text: str) -> StepOutcome:
    raw: dict[str, Any] = json.loads(text)
    findings = tuple(
        Finding(check, Verdict(v), detail, hint) for check, v, detail, hint in raw.pop("findings")
    )
    counts = tuple((str(name), int(count)) for name, count in raw.pop("counts"))
    facts = tuple((str(name), str(value)) for name, value in raw.pop("facts", ()))
    return StepOutcome(word=Word(raw.pop("word")), findings=findings, counts=counts, facts=facts, **raw)


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """How a run ended, over all its attempts. ``exit_code`` is the command line's.

    ``left`` names what is out of service and owned by this run; empty when nothing is. ``aside`` are nodes that
    failed and were left for later. ``undoes`` is the run that this one rolls back.
    """

    run: str
    word: Word
    detail: str
    exit_code: int
    steps_done: int
    steps_total: int
    step: str | None
    findings: tuple[Finding, ...]
    left: tuple[str, ...]
    min_in_rib: int | None
    gateways_total: int
    lost: int
    counts: tuple[tuple[str, int], ...]
    aside: tuple[str, ...] = ()
    undoes: str = ""
