"""Every drill there is, one after the other, on this machine: ``make drills``.

    python -m tests.drills [--runs N] [--only MESH[/FAULT]] [--kept FILE] [--write]

Three runs of each mesh with the negative control, then every fault on every mesh that it can befall. Prints one table;
``--write`` puts it into docs/drills.md. It takes an hour: with ``--kept`` it can be broken off, and goes on with the
drills that are not in that file yet. Exit 0 only if every drill kept what it promises.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from rollout.cli.drill.command import FAULTS, MESHES
from rollout.cli.drill.menu import faults
from rollout.model.mesh import MeshKind
from tests.drills.table import Case, Drilled, document
from tests.lab.drill_command import Drills

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "drills.md"
WITHIN = 900.0
"""Seconds for one drill; the longest took a third of it."""


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="make drills", description=__doc__)
    parser.add_argument("--runs", type=int, default=3, help="of each mesh without a fault (3)")
    parser.add_argument(
        "--only", action="append", default=[], help="istio, istio/plain, istio/crash; may be repeated"
    )
    parser.add_argument(
        "--kept", type=Path, help="a file of what was drilled already, and where it is added to"
    )
    parser.add_argument("--write", action="store_true", help=f"also write {PAGE.relative_to(ROOT)}")
    words = parser.parse_args(argv)
    known = {each.case: each for each in recall(words.kept)}
    wanted = [
        case for case in cases(words.runs) if not words.only or {case.mesh, str(case)} & set(words.only)
    ]
    done = tuple(known.get(case) or _told(case, words.kept) for case in wanted)
    text = document(done)
    print(text, end="")
    if words.write:
        PAGE.write_text(text, encoding="utf-8")
    return 0 if done and all(each.kept for each in done) else 1


def _told(case: Case, kept: Path | None) -> Drilled:
    print(f"{case} …", file=sys.stderr, flush=True)
    found = drilled(case)
    print(f"  {found.verdict}", file=sys.stderr, flush=True)
    if kept is not None and found.kept:
        with kept.open("a", encoding="utf-8") as sink:
            sink.write(f"{found.line()}\n")
    return found


def recall(kept: Path | None) -> Iterator[Drilled]:
    if kept is not None and kept.exists():
        yield from map(Drilled.read, kept.read_text(encoding="utf-8").splitlines())


def cases(runs: int) -> Iterator[Case]:
    for mesh in MESHES:
        yield from (Case(mesh, None, number) for number in range(1, runs + 1))
    known = faults()
    for mesh in MESHES:
        yield from (Case(mesh, name) for name in FAULTS if MeshKind(mesh) in known[name]().meshes)


def drilled(case: Case) -> Drilled:
    with tempfile.TemporaryDirectory(prefix="rackroll-drills-") as folder:
        drills = Drills(Path(folder), "drills", "127.82.")
        done = drills.rotate(*case.words, within=WITHIN)
        entries = drills.history()
        return Drilled(case, done.returncode, entries[-1] if entries else None, done.stderr, drills.left())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
