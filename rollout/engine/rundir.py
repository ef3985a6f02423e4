"""The run directory, ``<site folder>/.rackroll``: journal, lock, and each run's plan, so that resume needs no file."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from rollout.engine.journal import RunRecord
from rollout.planner.codec import dump, load

FOLDER = ".rackroll"


@dataclass(frozen=True, slots=True)
class RunDir:
    path: Path

    @property
    def journal(self) -> Path:
        return self.path / "journal.sqlite"

    @property
    def lock(self) -> Path:
        return self.path / "lock"

    def runs(self) -> tuple[RunRecord, ...]:
        """Oldest first. Raises PlanRefused if a stored plan was edited."""
        found = [_read(file) for file in (self.path / "runs").glob("*.json")]
        return tuple(sorted(found, key=lambda record: (record.started, record.id)))

    def add(self, record: RunRecord) -> None:
        """On disk before anything moves; written aside and renamed, so a crash leaves all of it or none."""
        folder = self.path / "runs"
        folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps({"run": record.id, "started": record.started, "plan": dump(record.plan)}, indent=1)
        aside = folder / f".{record.id}.tmp"
        with aside.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(folder / f"{record.id}.json")


def _read(file: Path) -> RunRecord:
    raw = json.loads(file.read_text(encoding="utf-8"))
    return RunRecord(raw["run"], load(raw["plan"], str(file)), raw["started"])
