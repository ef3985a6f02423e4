"""Where the journal's tests keep their runs: each test once on SQLite and once on Postgres."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from rollout.engine.durable import DurableJournal
from rollout.engine.journalurl import VARIABLE, JournalUrl
from rollout.engine.status import RunStatus, newest

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Kept:
    """Where the runs of one test are kept: in its folder, or in a database of its own."""

    folder: Path
    url: JournalUrl | None

    def open(self) -> DurableJournal:
        return DurableJournal(self.folder, "small", self.url)

    def status(self) -> RunStatus | None:
        return newest(self.open())

    def child(self, verb: str, at: int) -> subprocess.CompletedProcess[str]:
        argv, environment = self._command(verb, at)
        return subprocess.run(
            argv, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False
        )

    def started_slowly(self) -> subprocess.Popen[str]:
        argv, environment = self._command("apply-slowly", 0)
        pipe = subprocess.PIPE
        return subprocess.Popen(argv, cwd=ROOT, env=environment, stdout=pipe, stderr=pipe, text=True)

    def reached(self, key: str) -> RunStatus:
        """The status once this step is under way in another process."""
        for _ in range(600):
            seen = self.status()
            if seen is not None and seen.current is not None and seen.current.key == key:
                return seen
            time.sleep(0.1)
        raise AssertionError(f"never got to {key}")

    def _command(self, verb: str, at: int) -> tuple[list[str], dict[str, str]]:
        words = [sys.executable, "-m", "tests.unit.journal_child", str(self.folder), verb, str(at)]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        if self.url is not None:
            environment[VARIABLE] = self.url.dsn
        return [*words, str(self.folder / "rack.pickle")], environment
