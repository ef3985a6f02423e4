"""One upstream program as a child that ends with us, whatever ends us."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from rollout.errors import RackrollError

_GRACE = timedelta(seconds=15)


class Running:
    """A program that lasts. ``namespace`` is a named network namespace to run it in.

    The kernel ties it to the *thread* that started it (prctl(2), PR_SET_PDEATHSIG): start it from one that stays.
    """

    def __init__(self, name: str, argv: Sequence[str], log: Path, namespace: str | None = None) -> None:
        self.name = name
        self.log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        inside = ["nsenter", f"--net=/run/netns/{namespace}", "--"] if namespace else []
        with log.open("ab") as sink:
            self._process = subprocess.Popen(
                ["setpriv", "--pdeathsig=KILL", "--", *inside, *argv],
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
                cwd="/",
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def require(self) -> None:
        """Raises RackrollError with the log's end when the program has ended."""
        if self.alive:
            return
        said = self.log.read_text(errors="replace").strip().splitlines()[-3:]
        raise RackrollError(
            f"{self.name} ended with {self._process.returncode}",
            where=str(self.log),
            hint=" | ".join(line[-300:] for line in said) or "it said nothing",
        )

    def stop(self) -> None:
        """SIGTERM, and SIGKILL after 15 s."""
        if self.alive:
            self._process.terminate()
        deadline = time.monotonic() + _GRACE.total_seconds()
        while self.alive and time.monotonic() < deadline:
            time.sleep(0.02)
        self.kill()

    def kill(self) -> None:
        if self.alive:
            self._process.kill()
        self._process.wait()
