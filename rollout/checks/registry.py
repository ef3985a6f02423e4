"""The list of checks. Ids are never reused: a retired one stays listed as such in docs/checks.md."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import assert_never

from rollout.checks.facts import Facts
from rollout.model.gate import Finding, Verdict


class Need(StrEnum):
    """What a check reads, so that nothing else is asked for."""

    RIB = "rib"
    READY = "ready"
    PROBE = "probe"
    NODES = "nodes"
    ALERTS = "alerts"
    CLOCK = "clock"
    SKEW = "skew"
    CONNTRACK = "conntrack"
    EVICTION = "eviction"
    IMAGES = "images"
    INJECTION = "injection"
    RIGHTS = "rights"


Answer = tuple[Verdict, str]
Judge = Callable[[Facts], Answer]
Passing = Callable[[Facts], bool]


def stays(facts: Facts) -> bool:
    """What most checks close for does not end by itself."""
    del facts
    return False


@dataclass(frozen=True, slots=True)
class Check:
    """``hint`` is the next thing to do when it is not Open; ``says`` is what it asks, in one sentence.

    ``breakable``: a reason for break-glass opens it, and its finding says so. ``standing``: it has a meaning at any
    time; the others are asked in the middle of a move, or by name. ``passing``: what closed it may end by itself.
    """

    id: str
    needs: frozenset[Need]
    hint: str
    judge: Judge
    breakable: bool = False
    standing: bool = True
    passing: Passing = stays

    def find(self, facts: Facts) -> Finding:
        verdict, detail = self.judge(facts)
        if verdict is not Verdict.OPEN and self.breakable and facts.break_glass:
            detail = f"{verdict.value}, but opened by break-glass ({facts.break_glass}): {detail}"
            return Finding(self.id, Verdict.OPEN, detail, forced=True)
        passing = verdict is Verdict.CLOSED and self.passing(facts)
        return Finding(self.id, verdict, detail, self._next(verdict), passing=passing)

    def _next(self, verdict: Verdict) -> str:
        """What to do about silence is to end it, whatever the check is about."""
        page = f"docs/checks.md#{self.id.lower()}"
        match verdict:
            case Verdict.OPEN:
                return ""
            case Verdict.CLOSED:
                return f"{self.hint} ({page})"
            case Verdict.INCONCLUSIVE:
                return f"see why that does not answer, then ask again: silence is not health ({page})"
        assert_never(verdict)

    @property
    def says(self) -> str:
        return (self.judge.__doc__ or "").strip().splitlines()[0]


class DuplicateCheck(Exception):
    """Two checks claim one id: a bug, found at import."""


class Registry:
    """Checks by id, in the order they were registered."""

    def __init__(self) -> None:
        self._checks: dict[str, Check] = {}

    def check(
        self,
        id: str,
        *needs: Need,
        hint: str,
        breakable: bool = False,
        standing: bool = True,
        passing: Passing = stays,
    ) -> Callable[[Judge], Judge]:
        def register(judge: Judge) -> Judge:
            if id in self._checks:
                raise DuplicateCheck(id)
            self._checks[id] = Check(id, frozenset(needs), hint, judge, breakable, standing, passing)
            return judge

        return register

    def named(self, id: str) -> Check:
        """KeyError for an id nobody registered: a plan naming one was made by another version."""
        return self._checks[id]

    @property
    def ids(self) -> tuple[str, ...]:
        return tuple(self._checks)


_WORST = (Verdict.CLOSED, Verdict.INCONCLUSIVE, Verdict.OPEN)


def worst(answers: list[Answer], nothing: str) -> Answer:
    """Closed beats Inconclusive beats Open; ``nothing`` is said where there was nothing to judge."""
    if not answers:
        return Verdict.OPEN, nothing
    verdict = min((verdict for verdict, _ in answers), key=_WORST.index)
    return verdict, "; ".join(detail for found, detail in answers if found is verdict)


SHOWN = 8
"""How many of a list a finding names; the others are counted."""


def few(names: Iterable[str], between: str = ", ") -> str:
    listed = list(names)
    more = f" and {len(listed) - SHOWN} more" if len(listed) > SHOWN else ""
    return between.join(listed[:SHOWN]) + more
