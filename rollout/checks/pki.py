"""What must be true of the hosts before certificates change hands."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from pki.rotation.gates import MAX_SKEW
from rollout.checks.facts import Absent, Facts, Unknown
from rollout.checks.registry import Answer, Need, Registry, few
from rollout.model.gate import Verdict

PKI = Registry()


@PKI.check(
    "PKI-CLOCK",
    Need.SKEW,
    hint="set those clocks right (`chronyc makestep` once the source is right), then `rackroll resume`",
    standing=False,
)
def wall_clocks_agree(facts: Facts) -> Answer:
    """Do the wall clocks of all nodes, and this machine's, agree to within 10 s?"""
    if isinstance(facts.skews, Absent):
        return Verdict.OPEN, facts.skews.detail
    known = [_Seen(e.host, e.skew, e.error) for e in facts.skews if isinstance(e.skew, timedelta)]
    silent = [f"{each.host}: {each.skew.detail}" for each in facts.skews if isinstance(each.skew, Unknown)]
    first, last = _ends(known)
    if last.least - first.most > MAX_SKEW:
        return (
            Verdict.CLOSED,
            f"{_words(first, last)}; at most {MAX_SKEW.total_seconds():g} s between any two allowed",
        )
    if silent:
        return Verdict.INCONCLUSIVE, few(silent, "; ")
    if _at_most(known) > MAX_SKEW:
        slow = max(known, key=lambda each: each.error)
        text = f"asking {slow.host} took {2 * slow.error.total_seconds():.1f} s, too long to tell its time"
        return Verdict.INCONCLUSIVE, text
    return (
        Verdict.OPEN,
        f"{len(known)} clocks, {_at_most(known).total_seconds():.3f} s apart at most",
    )


@dataclass(frozen=True, slots=True)
class _Seen:
    host: str
    skew: timedelta
    error: timedelta

    @property
    def least(self) -> timedelta:
        return self.skew - self.error

    @property
    def most(self) -> timedelta:
        return self.skew + self.error

    def __str__(self) -> str:
        seconds = self.skew.total_seconds()
        return f"{self.host} is {abs(seconds):.1f} s {'ahead of' if seconds > 0 else 'behind'} this machine"


OURS = _Seen("", timedelta(0), timedelta(0))
"""This machine's clock, which mints."""


def _ends(known: list[_Seen]) -> tuple[_Seen, _Seen]:
    """The two that are surely furthest apart: one that is behind, one that is ahead."""
    return min((OURS, *known), key=lambda each: each.most), max((OURS, *known), key=lambda each: each.least)


def _words(first: _Seen, last: _Seen) -> str:
    return " and ".join(str(each) for each in (first, last) if each is not OURS)


def _at_most(known: list[_Seen]) -> timedelta:
    """How far apart any two of them can be, by what asking them left open."""
    return max(each.most for each in (OURS, *known)) - min(each.least for each in (OURS, *known))
