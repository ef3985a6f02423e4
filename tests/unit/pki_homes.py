"""Homes in a test's own folder, and processes that die while they write there."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pki.home import PkiHome
from pki.passphrase import Passphrase
from pki.profile import profile
from pki.stores.file import FileStore

NOW = datetime.now(UTC).replace(microsecond=0)
DOMAINS = {"istio": "cluster.local", "linkerd": "cluster.local", "consul": "1-2.consul", "cilium": "c.local"}


def store(secret: bytes = b"correct horse battery staple") -> FileStore:
    return FileStore(Passphrase("the test", secret))


def home(folder: Path, kind: str = "istio", keys: FileStore | None = None) -> PkiHome:
    own = keys or store()
    return PkiHome(folder / kind, profile(kind, DOMAINS[kind]), own, own)


def killed_at(effect: int, act: Callable[[], object]) -> bool:
    """Run ``act`` in a forked process that is killed before its n-th effect on the disk; False if it came through."""
    child = os.fork()
    if child == 0:
        _die_before(effect)
        try:
            act()
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL


def _die_before(effect: int) -> None:
    left = [effect]

    def mortal(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return original(*args, **kwargs)

        return call

    for name in ("open", "fsync", "mkdir", "rename", "unlink", "rmdir"):
        setattr(os, name, mortal(getattr(os, name)))
