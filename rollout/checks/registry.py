"""The list of checks. Ids are never reused: a retired one stays listed as such in docs/checks.md."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from rollout.checks.facts import Facts
from rollout.model.gate import Finding, Verdict


class Need(StrEnum):
    """What a check reads, so that nothing else is asked for."""

    RIB = "rib"
    READY = "ready"
    PROBE = "probe"
    NODES = "nodes"


Judge = Callable[[Facts], tuple[Verdict, str]]


@dataclass(frozen=True, slots=True)
class Check:
    """``hint`` is the next thing to do when it is not Open."""

    id: str
    needs: frozenset[Need]
    hint: str
    judge: Judge

    def find(self, facts: Facts) -> Finding:
        verdict, detail = self.judge(facts)
        hint = "" if verdict is Verdict.OPEN else f"{self.hint} (docs/checks.md#{self.id.lower()})"
        return Finding(self.id, verdict, detail, hint)


class DuplicateCheck(Exception):
    """Two checks claim one id: a bug, found at import."""


class Registry:
    """Checks by id, in the order they were registered."""

    def __init__(self) -> None:
        self._checks: dict[str, Check] = {}

    def check(self, id: str, *needs: Need, hint: str) -> Callable[[Judge], Judge]:
        def register(judge: Judge) -> Judge:
            if id in self._checks:
                raise DuplicateCheck(id)
            self._checks[id] = Check(id, frozenset(needs), hint, judge)
            return judge

        return register

    def named(self, id: str) -> Check:
        """KeyError for an id nobody registered: a plan naming one was made by another version."""
        return self._checks[id]

    @property
    def ids(self) -> tuple[str, ...]:
        return tuple(self._checks)
