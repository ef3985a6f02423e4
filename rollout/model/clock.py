"""A host's clock as its chronyd tells it. Standard library only: the role that sets clocks and the check share it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

_FIELDS = 14


@dataclass(frozen=True, slots=True)
class Tracking:
    """chronyd's view. ``offset``: how far the system clock is from the source; None while not synchronised.

    ``updated`` is when the source was last heard: chronyd calls a clock synchronised for as long as it likes its
    own guess, also when nobody has answered for a day.
    """

    source: str
    offset: timedelta | None
    updated: datetime | None = None


def parse_tracking(line: str) -> Tracking | None:
    """One CSV line of ``chronyc -c tracking``; None when chronyd does not answer or says something else."""
    fields = line.strip().split(",")
    if len(fields) != _FIELDS:
        return None
    try:
        # The system clock's remaining correction, and the last measured step of it: the worse one counts.
        offset = timedelta(seconds=max(abs(float(fields[4])), abs(float(fields[5]))))
        updated = datetime.fromtimestamp(float(fields[3]), UTC)
    except (ValueError, OverflowError, OSError):
        return None
    synchronised = fields[13] != "Not synchronised" and fields[2] != "0"
    return Tracking(
        fields[1] or fields[0], offset if synchronised else None, updated if synchronised else None
    )
