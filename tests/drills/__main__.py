"""Every drill there is, one after the other, on this machine: ``make drills``.

    python -m tests.drills [--runs N] [--only MESH[/FAULT]] [--write]

Three runs of each mesh with the negative control, then every fault on every mesh that it can befall. Prints one table;
``--write`` puts it into docs/drills.md. Exit 0 only if every drill kept what it promises.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from rollout.cli.drill.command import FAULTS, MESHES
from rollout.cli.drill.faults import faults
from rollout.model.site import MeshKind
from tests.drills.table import Case, Drilled, document
from tests.lab.drill_command import Drills

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "drills.md"
WITHIN = 900.0
"""Seconds for one drill; the longest took a third of it."""


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="make drills", description=__doc__)
    parser.add_argument("--runs", type=int, default=3, help="of each mesh without a fault (3)")
    parser.add_argument("--only", action="append", default=[], help="istio, or istio/crash; may be repeated")
    parser.add_argument("--write", action="store_true", help=f"also write {PAGE.relative_to(ROOT)}")
    words = parser.parse_args(argv)
    done = []
    for case in cases(words.runs):
        if words.only and not {case.mesh, str(case)} & set(words.only):
            continue
        print(f"{case} …", file=sys.stderr, flush=True)
        done.append(drilled(case))
        print(f"  {done[-1].verdict}", file=sys.stderr, flush=True)
    text = document(tuple(done))
    print(text)
    if words.write:
        PAGE.write_text(text, encoding="utf-8")
    return 0 if done and all(each.kept for each in done) else 1


def cases(runs: int) -> Iterator[Case]:
    for mesh in MESHES:
        yield from (Case(mesh, None, number) for number in range(1, runs + 1))
    known = faults()
    for mesh in MESHES:
        yield from (Case(mesh, name) for name in FAULTS if MeshKind(mesh) in known[name]().meshes)


def drilled(case: Case) -> Drilled:
    with tempfile.TemporaryDirectory(prefix="rackroll-drills-") as folder:
        drills = Drills(Path(folder))
        done = drills.rotate(*case.words, within=WITHIN)
        entries = drills.history()
        return Drilled(case, done.returncode, entries[-1] if entries else None, done.stderr, drills.left())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
