"""Can this machine hold the embedded lab? Asked before anything is built."""

from __future__ import annotations

import os
import subprocess
import sys


def why_no_namespaces() -> str | None:
    """The reason why network-namespace hosts cannot be made here, or None when they can."""
    if not sys.platform.startswith("linux"):
        return f"{sys.platform} has no network namespaces"
    if os.geteuid() != 0:
        return "not root"
    try:
        probe = subprocess.run(
            ["unshare", "--net", "--mount", "--pid", "--uts", "--ipc", "--fork", "true"],
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"unshare cannot be run: {error}"
    return None if probe.returncode == 0 else f"unshare is refused: {probe.stderr.strip()}"
