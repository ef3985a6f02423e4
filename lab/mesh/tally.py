"""What the pairs' lines add up to: tried, failed, and the longest time in which a pair of nodes had no good handshake.

Pure. The error window of a pair (client's node, server's node) goes from its last good handshake before a failure to
its first good one after; one that is open at the end lasts until the end. Every failed attempt counts as failed,
also those to a pod that was being replaced; ``by_class`` tells them apart.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import inf, isfinite
from types import MappingProxyType

from lab.mesh.records import Attempt, Outcome, read

Pair = tuple[str, str]
"""(client's node, server's node)."""


@dataclass(frozen=True, slots=True)
class ErrorWindows:
    """Milliseconds, 0 where nothing failed. A rack's is the longest of the pairs that it has an end of."""

    longest: float
    by_rack: Mapping[str, float]
    by_pair: Mapping[Pair, float]


@dataclass(frozen=True, slots=True)
class Handshakes:
    tried: int
    failed: int
    by_class: Mapping[Outcome, int]
    error_window_ms: ErrorWindows

    @property
    def tls_errors(self) -> int:
        """Failures of trust alone: a peer's certificate, or ours, was not accepted."""
        return sum(self.by_class.get(outcome, 0) for outcome in TRUST)


TRUST = (Outcome.VERIFY, Outcome.EXPIRY, Outcome.NOT_YET_VALID, Outcome.REJECTED)


@dataclass(slots=True)
class _Track:
    """One pair of nodes, in time. ``since`` is when the present failure began: the last good, else the first try."""

    good: float | None = None
    since: float | None = None
    longest: float = 0.0
    racks: set[str] = field(default_factory=set)

    def take(self, attempt: Attempt) -> None:
        self.racks |= {attempt.client.rack, attempt.server.rack}
        if attempt.outcome is Outcome.OK:
            self.close(attempt.at)
            self.good = attempt.at
        elif self.since is None:
            self.since = attempt.at if self.good is None else self.good

    def close(self, at: float) -> None:
        if self.since is not None:
            self.longest = max(self.longest, (at - self.since) * 1000)
            self.since = None


def tally(lines: Iterable[str], *, since: float = 0.0, until: float = inf) -> Handshakes:
    """Attempts that began from ``since`` to before ``until``, both in seconds of the epoch, in any order of lines."""
    found = (attempt for line in lines if (attempt := read(line)) is not None)
    attempts = sorted((one for one in found if since <= one.at < until), key=lambda one: one.at)
    classes = Counter(one.outcome for one in attempts)
    tracks: dict[Pair, _Track] = {}
    for one in attempts:
        tracks.setdefault((one.client.node, one.server.node), _Track()).take(one)
    end = until if isfinite(until) else max((one.at + one.ms / 1000 for one in attempts), default=0.0)
    for track in tracks.values():
        track.close(end)
    failed = len(attempts) - classes[Outcome.OK]
    return Handshakes(len(attempts), failed, MappingProxyType(dict(classes)), _windows(tracks))


def _windows(tracks: Mapping[Pair, _Track]) -> ErrorWindows:
    by_pair = {pair: round(track.longest, 1) for pair, track in sorted(tracks.items())}
    racks = sorted({rack for track in tracks.values() for rack in track.racks})
    by_rack = {
        rack: max((by_pair[pair] for pair, track in tracks.items() if rack in track.racks), default=0.0)
        for rack in racks
    }
    longest = max(by_pair.values(), default=0.0)
    return ErrorWindows(longest, MappingProxyType(by_rack), MappingProxyType(by_pair))
