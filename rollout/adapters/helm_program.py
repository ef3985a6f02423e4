"""Where the ``helm`` program is."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from rollout.errors import StepFailed


def helm_program() -> Path:
    """PATH first, then rackroll's own cache, where ``make demo`` builds one into. Raises if there is neither."""
    found = shutil.which("helm")
    if found:
        return Path(found)
    cached = cache_folder() / "bin" / "helm"
    if os.access(cached, os.X_OK):
        return cached
    raise StepFailed(
        "there is no helm program on PATH nor in rackroll's cache",
        where=str(cached),
        hint="install Helm 3.18 or newer, or run `make helm`, which builds it from its Go module",
    )


def cache_folder() -> Path:
    """By the XDG rules; never inside the repository."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "rackroll"
