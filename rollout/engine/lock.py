"""One launching process per site: an OS lock that dies with its holder, and says who that is."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from rollout.errors import LockHeld

PATIENCE = 0.5
"""Seconds; a reader of :func:`holder` holds the lock for a moment, and must not make an ``apply`` fail."""


@dataclass(frozen=True, slots=True)
class Holder:
    pid: int
    host: str
    run: str
    since: str

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}, since {self.since}"


UNSIGNED = Holder(0, "unknown", "unknown", "unknown")


@contextmanager
def site_lock(path: Path, run: str) -> Iterator[None]:
    """Raises :class:`LockHeld` naming the holder. ``kill -9`` frees it: the kernel does, not a timeout."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        _acquire(descriptor, path)
        _sign(descriptor, run)
        yield
        os.ftruncate(descriptor, 0)
    finally:
        os.close(descriptor)


def _acquire(descriptor: int, path: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while not _try(descriptor, fcntl.LOCK_EX):
        if time.monotonic() >= deadline:
            raise held_by(_read(path), str(path))
        time.sleep(0.05)


def _try(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def myself(run: str) -> Holder:
    return Holder(os.getpid(), socket.gethostname(), run, datetime.now(UTC).isoformat(timespec="seconds"))


def _sign(descriptor: int, run: str) -> None:
    text = json.dumps(asdict(myself(run)))
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, text.encode(), 0)


def holder(path: Path) -> Holder | None:
    """Who holds the lock now; None if nobody does, whatever a dead process left in the file."""
    if not path.exists():
        return None
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        return None if _try(descriptor, fcntl.LOCK_SH) else _read(path) or UNSIGNED
    finally:
        os.close(descriptor)


def _read(path: Path) -> Holder | None:
    """None for a holder that has the lock and did not sign yet."""
    try:
        return Holder(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def held_by(found: Holder | None, where: str) -> LockHeld:
    """The refusal of a second mover. None: it has the lock, and its name is not written down yet."""
    text = "another process has just begun to move this site"
    if found is not None:
        text = f"run {found.run} moves this site: {found}"
    return LockHeld(text, where=where, hint="wait for it, or see `rackroll status`")
