"""Files that are whole or absent after a kill: written aside, synced, renamed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from fcntl import LOCK_EX, flock
from pathlib import Path

from pki.errors import PkiError

CERTIFICATE = "certificate.pem"
KEY = "key"
LOCK = ".lock"


def write_new(path: Path, content: bytes, *, private: bool) -> None:
    """A file that must not be there yet, synced; mode 0600 or 0644 whatever the umask lets through."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        os.fchmod(handle, 0o600 if private else 0o644)
        file.write(content)
        file.flush()
        os.fsync(handle)


def sync_folder(folder: Path) -> None:
    """A new name lives in its folder: without this, a power cut can take back what a rename did."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def make_folder(folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def publish(staged: Path, final: Path) -> None:
    """One rename: before it nothing is there, after it everything is."""
    for folder in (staged, *(path for path in staged.rglob("*") if path.is_dir())):
        sync_folder(folder)
    move(staged, final)


def move(old: Path, new: Path) -> None:
    """On the same disk, and still so after a power cut."""
    old.rename(new)
    for folder in {old.parent, new.parent}:
        sync_folder(folder)


def remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """One mint at a time. The kernel lets go of the lock when its process ends, however it ends."""
    try:
        make_folder(folder)
        handle = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        hint = "name a folder that this user may write"
        raise PkiError(f"cannot be written: {error.strerror}", where=str(folder), hint=hint) from None
    try:
        flock(handle, LOCK_EX)
        yield
    finally:
        os.close(handle)
