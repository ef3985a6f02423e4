"""The suite against every target there is, as one table: call x target.

Use: python -m tests.contract.table     writes docs/contract.md and prints it; exit code 1 where a test failed
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.control.flags import API, CONTROLLERS, ETCD, SCHEDULER
from lab.control.tools import ToolMissing, find
from tests.contract import clusters, record

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "contract.md"
MINORS = ("1.34", "1.35", "1.36")


@dataclass(frozen=True, slots=True)
class Row:
    """One test of one run."""

    call: str
    test: str
    outcome: str
    why: str


@dataclass(frozen=True, slots=True)
class Run:
    """One target's column. ``missing`` says why there was no run."""

    target: str
    version: str = ""
    rows: tuple[Row, ...] = ()
    missing: str = ""

    @property
    def failed(self) -> tuple[str, ...]:
        return tuple(row.test for row in self.rows if row.outcome == "failed")

    def of(self, call: str) -> tuple[Row, ...]:
        return tuple(row for row in self.rows if row.call == call)


def main() -> int:
    targets = (clusters.SIMULATED, *(f"{clusters.REAL}{minor}" for minor in MINORS))
    runs = [_run(target) for target in targets]
    page = render(runs)
    PAGE.write_text(page)
    print(page)
    return int(any(run.failed or not (run.rows or run.missing) for run in runs))


def _run(target: str) -> Run:
    missing = "" if target == clusters.SIMULATED else _missing(target.removeprefix(clusters.REAL))
    if missing:
        return Run(target, missing=missing)
    print(f"==> contract: {target}", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory(prefix="rackroll-contract-") as folder:
        lines = Path(folder) / "rows.jsonl"
        lines.touch()
        chosen = {"RACKROLL_CONTRACT": target, record.RECORD: str(lines)}
        environment = {**os.environ, **chosen}
        environment.pop("RACKROLL_CONTRACT_KUBECONFIG", None)
        command = [sys.executable, "-m", "pytest", "-q", str(Path(__file__).parent)]
        subprocess.run(command, cwd=ROOT, env=environment, stdout=sys.stderr, check=False)
        return read(target, lines.read_text().splitlines())


def _missing(minor: str) -> str:
    wanted = [(f"kube-{minor}", name) for name in (API, CONTROLLERS, SCHEDULER)]
    try:
        for family, program in [*wanted, ("etcd", ETCD), ("kwok", "kwok")]:
            find(family, program)
    except ToolMissing as missing:
        return missing.message
    return ""


def read(target: str, lines: Iterable[str]) -> Run:
    """Later words on the same test win: one that passed may still fail as it cleans up."""
    found: dict[str, Row] = {}
    version = ""
    for line in lines:
        row = json.loads(line)
        if "version" in row:
            version = row["version"]
        else:
            found[row["test"]] = Row(**row)
    return Run(target, version, tuple(found.values()))


def render(runs: Sequence[Run]) -> str:
    calls = list(dict.fromkeys(row.call for run in runs for row in run.rows))
    notes = Notes()
    body = [[call, *(cell(run, call, notes) for run in runs)] for call in sorted(calls, key=str.lower)]
    total = ["**tests that passed**", *(_total(run) for run in runs)]
    head = ["call", *(_title(run) for run in runs)]
    table = "\n".join(_line(row) for row in (head, ["---"] * len(head), *body, total))
    return _PAGE.format(table=table, notes="\n".join(notes.lines()))


class Notes:
    """Reasons in the order in which cells first give them."""

    def __init__(self) -> None:
        self._known: dict[str, int] = {}

    def number(self, why: str) -> int:
        return self._known.setdefault(why, len(self._known) + 1)

    def lines(self) -> Iterator[str]:
        for why, number in self._known.items():
            yield f"{number}. {why}"


def cell(run: Run, call: str, notes: Notes) -> str:
    if run.missing:
        return "not built"
    counts: Mapping[str, list[Row]] = {
        outcome: [row for row in run.of(call) if row.outcome == outcome]
        for outcome in ("passed", "differs", "skipped", "failed")
    }
    words = []
    for outcome, word in (("passed", "pass"), ("differs", "differs"), ("skipped", "not run")):
        rows = counts[outcome]
        marks = sorted({notes.number(row.why) for row in rows if row.why})
        if rows:
            words.append(f"{len(rows)} {word}{''.join(f' [{mark}]' for mark in marks)}")
    words += [f"**fails**: {row.test}" for row in counts["failed"]]
    return ", ".join(words) or "not run"


def _title(run: Run) -> str:
    name = run.target.replace("-", " ")
    return f"{name} ({run.version})" if run.version and run.target != clusters.SIMULATED else name


def _total(run: Run) -> str:
    if run.missing:
        return "not built"
    return f"{sum(row.outcome == 'passed' for row in run.rows)} of {len(run.rows)}"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


_PAGE = """# The contract: what Kubernetes does, and what the simulated API does

One suite, `tests/contract`, run against the simulated API (`lab/kube`, part of `make test`) and against upstream's
own kube-apiserver, kube-controller-manager, kube-scheduler and etcd with KWOK in the kubelets' place. A cell says
how many tests of that call came out how. A difference is a bug of the simulated API, and is mended there; one that
is meant has its reason below, and its test is run all the same and has to fail.

{table}

Reasons:

{notes}

These figures again: `make tools`, then `make contract` (`.venv/bin/python -m tests.contract.table`). One target alone:
`RACKROLL_CONTRACT=real-1.35 .venv/bin/python -m pytest tests/contract`; a cluster of your own:
`RACKROLL_CONTRACT_KUBECONFIG=FILE` in its place (tests that restart the API server are left out there).
"""


if __name__ == "__main__":
    sys.exit(main())
