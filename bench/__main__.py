"""``make bench``: measure, compare with the targets, print. ``--write`` puts the figures into docs/benchmarks.md.

The exit code is 0 also where a target is missed: how fast a machine is proves nothing about a change. It is 1
where a job fails.
"""

from __future__ import annotations

import argparse
import sys

from bench.report import as_markdown, as_table, write
from bench.run import SIZES, Row, measure_all


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--write", action="store_true", help="write the figures into docs/benchmarks.md")
    parser.add_argument("--repeat", type=int, default=3, help="runs of each job; the median counts")
    parser.add_argument("--size", choices=list(SIZES), action="append", help="only this size")
    options = parser.parse_args()
    sizes = {name: SIZES[name] for name in options.size or SIZES}
    rows = measure_all(sizes, options.repeat, say=lambda text: print(text, file=sys.stderr, flush=True))
    print(as_table(rows))
    if options.write:
        print(f"written to {write(as_markdown(rows, options.repeat))}", file=sys.stderr)
    return failed(rows)


def failed(rows: list[Row]) -> int:
    return int(any(row.error for row in rows))


if __name__ == "__main__":
    sys.exit(main())
