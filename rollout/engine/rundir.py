"""The run directory, ``<site folder>/.rackroll``: journal, lock, and each run's plan, so that resume needs no file."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from rollout.engine.journal import RunEntry, RunRecord
from rollout.planner.codec import dump, load
from rollout.planner.refuse import refuse

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

    def runs(self) -> tuple[RunEntry, ...]:
        """Oldest first."""
        raw = [_raw(file) for file in (self.path / "runs").glob("*.json")]
        found = [RunEntry(each["run"], each["started"]) for each in raw]
        return tuple(sorted(found, key=lambda entry: (entry.started, entry.id)))

    def load(self, run: str) -> RunRecord:
        """Raises PlanRefused if the stored plan was edited, or written in another format."""
        file = self._file(run)
        raw = _raw(file)
        return RunRecord(raw["run"], load(raw["plan"], str(file)), raw["started"])

    def add(self, record: RunRecord) -> None:
        """On disk before anything moves; written aside and renamed, so a crash leaves all of it or none."""
        target = self._file(record.id)
        target.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps({"run": record.id, "started": record.started, "plan": dump(record.plan)}, indent=1)
        aside = target.with_name(f".{record.id}.tmp")
        with aside.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(target)

    def _file(self, run: str) -> Path:
        return self.path / "runs" / f"{run}.json"


def _raw(file: Path) -> dict[str, str]:
    """Only this module writes these files, and only whole ones: what does not parse was edited."""
    try:
        raw = json.loads(file.read_text(encoding="utf-8"))
        return {name: str(raw[name]) for name in ("run", "started", "plan")}
    except (ValueError, KeyError, TypeError) as error:
        text = f"the record of a run cannot be read: {error}"
        fix = "put the file back from a backup, or move it away if that run is over"
        raise refuse("PLAN-FORMAT-01", text, where=str(file), fix=fix) from None
