"""One attempted handshake as a line of JSON, and the file of them that a pair keeps on its node."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

FOLDER = "mesh"
"""Below a node's share folder (``/run/lab`` inside it): the lines outlive their pod, and their node."""

LARGEST = 4 * 1024 * 1024
"""Bytes of one file; with the one before it a pod keeps twice as much, half an hour of three peers at 12 Hz."""


class Outcome(StrEnum):
    """What came of one handshake, as its client saw it."""

    OK = "ok"
    VERIFY = "verify"
    EXPIRY = "expiry"
    NOT_YET_VALID = "not-yet-valid"
    REJECTED = "rejected"
    RESET = "reset"
    REFUSED = "refused"
    TIMEOUT = "timeout"


@dataclass(frozen=True, slots=True)
class End:
    pod: str
    node: str
    rack: str


@dataclass(frozen=True, slots=True)
class Attempt:
    """``at`` is when it began, in seconds of the epoch; ``ms`` how long it took."""

    at: float
    client: End
    server: End
    outcome: Outcome
    ms: float

    def line(self) -> str:
        ends = {name: [end.pod, end.node, end.rack] for name, end in self._ends()}
        return json.dumps(
            {"at": round(self.at, 4), **ends, "outcome": self.outcome, "ms": round(self.ms, 2)},
            separators=(",", ":"),
        )

    def _ends(self) -> Iterator[tuple[str, End]]:
        yield "client", self.client
        yield "server", self.server


def read(line: str) -> Attempt | None:
    """None for a line that was cut off: a pod may be killed while it writes."""
    try:
        raw = json.loads(line)
        return Attempt(
            raw["at"], End(*raw["client"]), End(*raw["server"]), Outcome(raw["outcome"]), raw["ms"]
        )
    except (ValueError, KeyError, TypeError):
        return None


class Recorder:
    """Appends lines; at :data:`LARGEST` bytes the file becomes ``<name>.1`` and the one before it goes."""

    def __init__(self, path: Path, largest: int = LARGEST) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._largest = largest
        self._lock = threading.Lock()
        self._sink = path.open("a", encoding="utf-8")

    def add(self, attempt: Attempt) -> None:
        with self._lock:
            self._sink.write(attempt.line() + "\n")
            self._sink.flush()
            if self._sink.tell() >= self._largest:
                self._sink.close()
                self._path.replace(self._path.with_name(f"{self._path.name}.1"))
                self._sink = self._path.open("a", encoding="utf-8")
