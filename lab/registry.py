"""Which folder's lab has which namespaces, kept outside the folder: ``/run/rackroll/<site>.json``.

Site names are the namespaces' names, so two folders with one site name would fight over them; and a lab
whose folder was deleted must still be found. A reboot clears both this and the labs.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lab import netns
from rollout.errors import LockHeld, RackrollError

FOLDER = Path("/run/rackroll")


@dataclass(frozen=True, slots=True)
class Claim:
    """The exact namespaces a lab may have made: a prefix would also match site ``lab-2``."""

    site: str
    folder: Path
    namespaces: tuple[str, ...]


def refuse_taken(wanted: Claim) -> None:
    """Raises RackrollError when a living lab of another folder has this site's name."""
    other = _read(_file(wanted.site))
    if other and other.folder != wanted.folder and netns.existing(other.namespaces):
        hint = f"take that one down (rackroll lab down -i {other.folder}), or rename this site"
        message = f"a lab called {wanted.site} is up for {other.folder}"
        raise RackrollError(message, where=str(wanted.folder), hint=hint)


def claim(wanted: Claim) -> None:
    """Written before anything is made, and only once nobody else has the names: ``down`` deletes by it."""
    text = {"site": wanted.site, "folder": str(wanted.folder), "namespaces": wanted.namespaces}
    FOLDER.mkdir(mode=0o700, exist_ok=True)
    _file(wanted.site).write_text(json.dumps(text))


def claims_of(folder: Path) -> tuple[Claim, ...]:
    """What this folder has claimed; more than one after its site was renamed while the lab was up."""
    found = (_read(path) for path in sorted(FOLDER.glob("*.json")))
    return tuple(item for item in found if item and item.folder == folder)


def release(done: Claim) -> None:
    _file(done.site).unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        FOLDER.rmdir()


@contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """One ``up`` or ``down`` per folder at a time.

    The lock is a socket in the abstract namespace: it leaves no file, and goes with the process however it
    dies. Raises LockHeld.
    """
    name = hashlib.sha256(str(folder).encode()).hexdigest()[:32]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as lock:
        _bind(lock, f"\0rackroll-lab-{name}", folder)
        yield


def _bind(lock: socket.socket, name: str, folder: Path) -> None:
    try:
        lock.bind(name)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        message = "another `lab up` or `lab down` is at work"
        raise LockHeld(message, where=str(folder), hint="wait until it is done") from None


def _file(site: str) -> Path:
    return FOLDER / f"{site}.json"


def _read(path: Path) -> Claim | None:
    try:
        raw = json.loads(path.read_text())
        return Claim(raw["site"], Path(raw["folder"]), tuple(raw["namespaces"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
