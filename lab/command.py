"""Running the machine's own programs, with errors a person can act on."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence

from rollout.errors import RackrollError


def run(argv: Sequence[str], *, stdin: str | None = None, timeout: float = 30) -> str:
    """A program's standard output; RackrollError with its words when it fails. ``timeout`` in seconds."""
    try:
        done = subprocess.run(argv, input=stdin, capture_output=True, text=True, timeout=timeout, check=False)
    except FileNotFoundError as error:
        raise RackrollError(f"{argv[0]} is not installed", where="lab") from error
    except subprocess.TimeoutExpired as error:
        raise RackrollError(f"`{' '.join(argv)}` hung for {timeout:g} s", where="lab") from error
    if done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip())[-600:]
        raise RackrollError(f"`{' '.join(argv)}` failed ({done.returncode}): {said}", where="lab")
    return done.stdout
