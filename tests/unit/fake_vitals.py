"""What healthy hosts answer when a gate asks for their clocks and their connection table."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime


def tracking(offset: float = 0.000002, updated: datetime | None = None) -> str:
    """As ``chronyc -c tracking`` prints it."""
    heard = (updated or datetime.now(UTC)).timestamp()
    tail = "0.000001464,-0.158,-0.000,591.813,0.000006981,0.000331733,0.0,Normal"
    return f"0AFF0005,10.255.0.5,4,{heard:.9f},{offset:.9f},{offset:.9f},{tail}"


UNSYNCHRONISED = (
    "00000000,,0,0.000000000,0.000000000,0.000000000,0.000000000,"
    "0.000,0.000,0.000,1.000000000,1.000000000,0.0,Not synchronised"
)
TABLE = "1200\n1048576"


def vital(argv: Sequence[str]) -> str | None:
    """The answer to a reading; None for any other command."""
    if "chronyc" in argv:
        return tracking()
    if "date" in argv:
        return f"{datetime.now(UTC).timestamp():.9f}"
    return TABLE if any(word.endswith("nf_conntrack_count") for word in argv) else None
