"""Verdicts. Inconclusive holds: no data is not healthy."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    OPEN = "open"
    CLOSED = "closed"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True, slots=True)
class Finding:
    """One check's answer: what was seen, and what to do about it.

    ``forced``: only break-glass opened it. ``passing``: closed by something that usually ends by itself, such as a
    budget whose evicted pod is about to be back; a gate waits longer for those before it holds.
    """

    check: str
    verdict: Verdict
    detail: str
    hint: str = ""
    forced: bool = False
    passing: bool = False
