"""Network namespaces by name, and which processes live in them."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterable
from pathlib import Path

from lab.process import PROC, ProcessRef, start_time

FOLDER = Path("/run/netns")
_CLONE_NEWNET = 0x40000000


def join(namespace: str) -> None:
    """Move the calling thread into the namespace. Sockets made before stay where they were made."""
    libc = ctypes.CDLL(None, use_errno=True)
    with (FOLDER / namespace).open() as handle:
        if libc.setns(handle.fileno(), _CLONE_NEWNET) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), namespace)


def existing(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(name for name in names if (FOLDER / name).exists())


def members(names: Iterable[str]) -> dict[str, tuple[ProcessRef, ...]]:
    """Every process whose network namespace is one of these, by namespace."""
    by_inode = {_inode(FOLDER / name): name for name in existing(names)}
    found: dict[str, list[ProcessRef]] = {name: [] for name in by_inode.values()}
    for pid in pids():
        name = by_inode.get(_inode(PROC / str(pid) / "ns" / "net"))
        started = start_time(pid) if name else None
        if name and started is not None:
            found[name].append(ProcessRef(pid, started))
    return {name: tuple(processes) for name, processes in found.items()}


def pids() -> tuple[int, ...]:
    return tuple(int(entry.name) for entry in PROC.iterdir() if entry.name.isdigit())


def _inode(path: Path) -> int:
    """Namespaces are compared by inode number; 0 for one that has just gone."""
    try:
        return path.stat().st_ino
    except OSError:
        return 0
