"""What the load counted. A request is lost when it got no HTTP 200 in time; nothing is ever retried."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Tally:
    """Counters of one load run; fresh connections and kept-alive ones are counted apart."""

    sent: int = 0
    lost: int = 0
    keepalive_sent: int = 0
    keepalive_lost: int = 0
    reconnects: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    slowest_ms: float = 0.0

    def fresh(self, error: str | None, took_ms: float) -> None:
        self.sent += 1
        self.slowest_ms = max(self.slowest_ms, took_ms)
        if error is not None:
            self.lost += 1
            self.reasons[error] += 1

    def kept(self, error: str | None) -> None:
        self.keepalive_sent += 1
        if error is not None:
            self.keepalive_lost += 1
            self.reasons[f"keepalive: {error}"] += 1

    def line(self, *, final: bool) -> str:
        return json.dumps(
            {
                "sent": self.sent,
                "lost": self.lost,
                "keepaliveSent": self.keepalive_sent,
                "keepaliveLost": self.keepalive_lost,
                "reconnects": self.reconnects,
                "reasons": dict(self.reasons),
                "slowestMs": round(self.slowest_ms, 1),
                "final": final,
            }
        )


@dataclass(frozen=True, slots=True)
class LoadCount:
    """A tally as read back by whoever started the load."""

    sent: int = 0
    lost: int = 0
    keepalive_sent: int = 0
    keepalive_lost: int = 0
    reconnects: int = 0
    reasons: tuple[tuple[str, int], ...] = ()
    slowest_ms: float = 0.0
    final: bool = False

    @classmethod
    def parse(cls, line: str) -> LoadCount:
        raw: dict[str, Any] = json.loads(line)
        return cls(
            sent=raw["sent"],
            lost=raw["lost"],
            keepalive_sent=raw["keepaliveSent"],
            keepalive_lost=raw["keepaliveLost"],
            reconnects=raw["reconnects"],
            reasons=tuple(sorted(raw["reasons"].items())),
            slowest_ms=raw["slowestMs"],
            final=raw["final"],
        )
