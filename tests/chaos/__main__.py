"""``make chaos``: a hundred seeded upgrades in memory, one failure each; the table, and exit 1 if anything is wrong.

Simulated world, real planner, engine, gates and journal code. ``python -m tests.chaos [RUNS [FIRST_SEED]]``.
"""

from __future__ import annotations

import sys
import time

from tests.chaos.campaign import Ending, carry_out
from tests.chaos.faults import Kind
from tests.chaos.scenario import scenario

_HEADS = (
    "failure",
    "runs",
    "done at once",
    "after resume",
    "held, aborted",
    "rolled back",
    "min next-hops",
    "lost",
    "evictions/pod",
    "wrong",
)


def main(argv: list[str]) -> int:
    runs, first = (int(argv[0]) if argv else 100), (int(argv[1]) if len(argv) > 1 else 0)
    began = time.perf_counter()
    endings = [carry_out(scenario(seed)) for seed in range(first, first + runs)]
    print(table(endings))
    samples = sum(ending.samples for ending in endings)
    print(f"{runs} upgrades, {samples:,} looks at 20 a simulated second, {time.perf_counter() - began:.0f} s")
    for ending in endings:
        for line in ending.wrong:
            print(f"WRONG seed {ending.seed}, {ending.fault}: {line}")
    return int(any(ending.wrong for ending in endings))


def table(endings: list[Ending]) -> str:
    rows = [_row(kind.value, [e for e in endings if e.fault.kind is kind]) for kind in Kind]
    cells = [_HEADS, *(row for row in rows if row), _row("all", endings)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(_HEADS))]
    return "\n".join("  ".join(c.ljust(w) for c, w in zip(r, widths, strict=True)).rstrip() for r in cells)


def _row(name: str, endings: list[Ending]) -> tuple[str, ...]:
    """``min next-hops`` is against the floor: N-1 is kept where the worst difference is 0 or more."""
    if not endings:
        return ()
    outcomes = [ending.outcome for ending in endings]
    worst = min(ending.lowest - ending.floor for ending in endings)
    numbers = (
        len(endings),
        outcomes.count("done at once"),
        outcomes.count("done after resume"),
        outcomes.count("held, aborted"),
        sum(ending.rolled_back for ending in endings),
        f"floor{worst:+d}",
        sum(ending.lost for ending in endings),
        max(ending.most_taken for ending in endings),
        sum(bool(ending.wrong) for ending in endings),
    )
    return (name, *map(str, numbers))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
