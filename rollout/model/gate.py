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
    """One check's answer: what was seen, and what to do about it."""

    check: str
    verdict: Verdict
    detail: str
    hint: str = ""
