"""What the verifier can answer: a counterexample, or what it checked."""

from __future__ import annotations

from dataclasses import dataclass, field


class Counterexample(Exception):
    """The first thing that does not hold. ``rule`` is an id of docs/checks.md, ``step`` where in the plan it shows."""

    def __init__(self, rule: str, message: str, *, step: str = "", state: str = "") -> None:
        super().__init__(message)
        self.rule = rule
        self.message = message
        self.step = step
        self.state = state


@dataclass(slots=True)
class Checked:
    """How much was looked at, by name; ``notes`` is what a reader should know beside it."""

    plan: str
    counts: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def refute(rule: str, message: str, *, step: str = "", state: str = "") -> None:
    raise Counterexample(rule, message, step=step, state=state)
