"""``make bench-real``: rolling KWOK nodes on a real control plane, ours beside kubectl. Needs `make tools`.

Exit code 0 also where kubectl is the faster one: how fast a machine is proves nothing about a change.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from bench.real.report import REAL, as_markdown, as_table
from bench.real.run import Scale, measure
from bench.report import write


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench.real", description=__doc__)
    parser.add_argument("--write", action="store_true", help="write the figures into docs/benchmarks.md")
    parser.add_argument("--rolled", type=int, default=8, help="racks drained by each (20 is the whole fleet)")
    parser.add_argument("--racks", type=int, default=40)
    parser.add_argument("--pods", type=int, default=5000)
    options = parser.parse_args()
    scale = Scale(racks=options.racks, rolled=min(options.rolled, options.racks // 2), pods=options.pods)
    with tempfile.TemporaryDirectory(prefix="rackroll-bench-") as folder:
        costs = measure(scale, Path(folder), lambda text: print(text, file=sys.stderr, flush=True))
    print(as_table(costs))
    if options.write:
        print(f"written to {write(as_markdown(scale, costs), REAL)}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
