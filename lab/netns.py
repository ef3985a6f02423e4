"""Network namespaces by name, and which processes live in them."""

from __future__ import annotations

import ctypes
import os
import socket
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from lab.process import PROC, ProcessRef, start_time

T = TypeVar("T")

FOLDER = Path("/run/netns")
_CLONE_NEWNET = 0x40000000


def join(namespace: str | Path) -> None:
    """Move the calling thread into the namespace, by name or by its file. Sockets stay where they were made."""
    libc = ctypes.CDLL(None, use_errno=True)
    with (FOLDER / namespace).open() as handle:
        if libc.setns(handle.fileno(), _CLONE_NEWNET) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), str(namespace))


def connect(namespace: str | None, address: tuple[str, int], *, timeout: float) -> socket.socket:
    """A TCP connection made inside the namespace (None: here); it can be used from anywhere. Raises OSError."""
    if namespace is None:
        return socket.create_connection(address, timeout)
    return within(namespace, lambda: socket.create_connection(address, timeout))


def within(namespace: str | Path, make: Callable[[], T]) -> T:
    """Run ``make`` on a thread inside the namespace: the sockets that it makes stay there, this thread does not."""

    def inside() -> T:
        join(namespace)
        return make()

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(inside).result()


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
