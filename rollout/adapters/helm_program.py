"""Where the ``helm`` program is."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from rollout.errors import StepFailed

FAMILY = "helm-4"


def helm_program() -> Path:
    """PATH first, then rackroll's own cache, where ``make helm`` builds one into. Raises if there is neither."""
    found = shutil.which("helm")
    if found:
        return Path(found)
    builds = [path for path in tools_folder().glob(f"{FAMILY}/v*/helm") if os.access(path, os.X_OK)]
    if builds:
        return max(builds, key=lambda path: version_numbers(path.parent.name))
    raise StepFailed(
        "there is no helm program on PATH nor in rackroll's cache",
        where=str(tools_folder() / FAMILY),
        hint="install Helm 3.18 or newer, or run `make helm`, which builds it from its Go module",
    )


def tools_folder() -> Path:
    """Upstream's programs as `make tools` builds them: one folder per family, one below it per version."""
    return cache_folder() / "tools"


def version_numbers(version: str) -> tuple[int, ...]:
    """So that v1.35.10 sorts after v1.35.9."""
    return tuple(int(part) for part in re.findall(r"\d+", version))


def cache_folder() -> Path:
    """By the XDG rules; never inside the repository."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "rackroll"
