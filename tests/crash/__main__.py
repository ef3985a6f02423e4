"""Kill rackroll at every journal boundary of a two-rack upgrade on the lab, and count: ``make crash``.

    python -m tests.crash [--once]

Each boundary of each step (before its effect; after its effect and before its record; after its record) ends one
process by SIGKILL; the next is a ``rackroll resume``. ``--once`` leaves out what lies between two steps twice over:
only the boundary after the effect and before the record. Exit 0 only if every promise below was kept.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.crash.campaign import Campaign, Result
from tests.crash.mortal import Moment

ALL = (Moment.BEFORE, Moment.UNRECORDED, Moment.RECORDED)


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="make crash", description=__doc__)
    parser.add_argument(
        "--once", action="store_true", help="one boundary a step: after the effect, unrecorded"
    )
    parser.add_argument(
        "--keep", type=Path, help="a folder for the site, the plan and the log (else a temporary one)"
    )
    words = parser.parse_args(argv)
    moments = (Moment.UNRECORDED,) if words.once else ALL
    with tempfile.TemporaryDirectory(prefix="rackroll-crash-") as temporary:
        result = Campaign(words.keep or Path(temporary), moments).run()
    print(table(result))
    return 0 if kept(result) else 1


def kept(result: Result) -> bool:
    """Every promise: all kills happened, nothing is wrong, N-1 held, nothing was lost."""
    lost = result.load.lost + result.load.keepalive_lost
    floor = result.lowest is not None and result.lowest >= result.gateways - 1
    return result.kills == result.boundaries and not result.wrong and floor and not lost


def table(result: Result) -> str:
    load = result.load
    rows = [
        ("steps of the upgrade", str(result.steps)),
        ("journal boundaries", str(result.boundaries)),
        ("processes killed there (SIGKILL)", str(result.kills)),
        ("times a gate held a process", str(result.held)),
        ("seconds, under load from outside", f"{result.seconds:.0f}"),
        ("requests sent / lost", f"{load.sent} / {load.lost}"),
        ("on kept-alive connections / lost", f"{load.keepalive_sent} / {load.keepalive_lost}"),
        (
            "fewest gateways in the ToRs' tables",
            f"{result.lowest} of {result.gateways} in {result.samples} looks",
        ),
        ("why requests were lost", ", ".join(f"{n}x {why}" for why, n in load.reasons) or "none was"),
    ]
    width = max(len(name) for name, _ in rows)
    lines = [f"  {name:<{width}}  {value}" for name, value in rows]
    wrong = [f"  WRONG  {line}" for line in result.wrong] or [
        "  every pod ended once, every chart installed once, nothing foreign touched, nothing left behind"
    ]
    verdict = "kept" if kept(result) else "BROKEN"
    return "\n".join(["killed at every boundary", *lines, *wrong, f"  verdict  {verdict}"])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
