"""Which processes the agents started, on disk, so that the next daemon ends what a killed one left behind."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

from lab.process import ProcessRef, kill

PROCESSES = "node-processes.json"


class Ledger:
    """A small JSON file of (pid, start time); rewritten by rename on every change."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._refs: set[ProcessRef] = set()

    def reap(self) -> int:
        """Kill what an earlier daemon left and start empty; returns how many were still alive."""
        alive = self.alive()
        for ref in alive:
            kill(ref)
        self._refs = set()
        self._write()
        return len(alive)

    def alive(self) -> list[ProcessRef]:
        """What the file names and still runs."""
        found: list[ProcessRef] = []
        with contextlib.suppress(FileNotFoundError, ValueError, TypeError):
            found = [ProcessRef(**item) for item in json.loads(self._path.read_text())]
        return [ref for ref in found if ref.alive]

    def add(self, ref: ProcessRef) -> None:
        self._refs.add(ref)
        self._write()

    def drop(self, ref: ProcessRef) -> None:
        self._refs.discard(ref)
        self._write()

    def _write(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        draft = self._path.with_suffix(".draft")
        draft.write_text(
            json.dumps([{"pid": r.pid, "started": r.started} for r in sorted(self._refs, key=_pid)])
        )
        draft.replace(self._path)


def _pid(ref: ProcessRef) -> int:
    return ref.pid
