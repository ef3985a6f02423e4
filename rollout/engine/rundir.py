"""The run directory, ``<site folder>/.rackroll``: journal, lock, and each run's plan, so that resume needs no file."""

from __future__ import annotations

import json
import os
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from rollout.engine.journal import RunEntry, RunRecord
from rollout.engine.lock import Holder, holder, site_lock
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

    def owned(self, run: str) -> AbstractContextManager[None]:
        return site_lock(self.lock, run)

    def still_owned(self) -> None:
        """The kernel takes the lock from nobody who is alive."""

    def holder(self) -> Holder | None:
        return holder(self.lock)

    def runs(self) -> tuple[RunEntry, ...]:
        """Oldest first."""
        raw = [_raw(file) for file in (self.path / "runs").glob("*.json")]
        found = [RunEntry(each["run"], each["started"], each["undoes"]) for each in raw]
        return tuple(sorted(found, key=lambda entry: (entry.started, entry.id)))

    def load(self, run: str) -> RunRecord:
        """Raises PlanRefused if the stored plan was edited, or written in another format."""
        file = self._file(run)
        raw = _raw(file)
        return RunRecord(raw["run"], load(raw["plan"], str(file)), raw["started"], raw["undoes"])

    def add(self, record: RunRecord) -> None:
        """On disk before anything moves."""
        raw = {
            "run": record.id,
            "started": record.started,
            "undoes": record.undoes,
            "plan": dump(record.plan),
        }
        _write(self._file(record.id), json.dumps(raw, indent=1))

    def hold(self, run: str, reason: str) -> None:
        _write(self._hold(run), reason)

    def hold_asked(self, run: str) -> str | None:
        try:
            return self._hold(run).read_text(encoding="utf-8")
        except FileNotFoundError:
            return None

    def forget_hold(self, run: str) -> None:
        self._hold(run).unlink(missing_ok=True)

    def _file(self, run: str) -> Path:
        return self.path / "runs" / f"{run}.json"

    def _hold(self, run: str) -> Path:
        return self.path / "runs" / f"{run}.hold"


def _write(target: Path, text: str) -> None:
    """Written aside and renamed, so a crash leaves all of it or none."""
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = target.with_name(f".{target.name}.tmp")
    with aside.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    aside.replace(target)


def _raw(file: Path) -> dict[str, str]:
    """Only this module writes these files, and only whole ones: what does not parse was edited."""
    try:
        raw = {"undoes": "", **json.loads(file.read_text(encoding="utf-8"))}
        return {name: str(raw[name]) for name in ("run", "started", "undoes", "plan")}
    except (ValueError, KeyError, TypeError) as error:
        text = f"the record of a run cannot be read: {error}"
        fix = "put the file back from a backup, or move it away if that run is over"
        raise refuse("PLAN-FORMAT-01", text, where=str(file), fix=fix) from None
