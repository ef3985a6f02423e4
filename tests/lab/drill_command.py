"""The drill as a command, in a state folder, under a name and on addresses of the tests' own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.process import PROC
from tests.lab.rackroll_command import ROOT

NETWORKS = Path("/run/netns")


@dataclass(frozen=True, slots=True)
class Drills:
    """``state`` is the XDG_STATE_HOME of all of them."""

    state: Path
    name: str = "drilltest"
    loopback: str = "127.83."

    @property
    def site(self) -> Path:
        return self.state / "rackroll" / "drill" / "labs" / self.name

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "XDG_STATE_HOME": str(self.state), "NO_COLOR": "1"}

    def argv(self, *words: str) -> list[str]:
        own = ("--name", self.name, "--loopback", self.loopback)
        return [sys.executable, "-m", "rollout.cli.main", "drill", "rotate", *words, *own, "-o", "json"]

    def start(self, log: Path, *words: str) -> subprocess.Popen[bytes]:
        """Its results on stdout, its progress in ``log``; a session of its own, so that a signal hits it alone."""
        with log.open("wb") as sink:
            return subprocess.Popen(
                self.argv(*words),
                stdout=subprocess.PIPE,
                stderr=sink,
                env=self.environment,
                cwd=ROOT,
                start_new_session=True,
            )

    def rotate(self, *words: str, within: float = 600) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.argv(*words),
            capture_output=True,
            text=True,
            env=self.environment,
            cwd=ROOT,
            timeout=within,
            check=False,
        )

    def history(self) -> list[dict[str, Any]]:
        """The drills that were finished here, oldest first."""
        argv = [sys.executable, "-m", "rollout.cli.main", "drill", "history", "-o", "json"]
        done = subprocess.run(
            argv, capture_output=True, env=self.environment, cwd=ROOT, timeout=60, check=True
        )
        found: list[dict[str, Any]] = json.loads(done.stdout)["drills"]
        return found

    def left(self) -> list[str]:
        """Namespaces of the lab, its folder, and processes that name that folder."""
        found = [file.name for file in NETWORKS.glob(f"rr-{self.name}-*")]
        found += [str(self.site)] if self.site.exists() else []
        mark = str(self.site).encode()
        return found + [str(line) for line in _command_lines() if mark in line]


def _command_lines() -> list[bytes]:
    found = []
    for folder in PROC.glob("[0-9]*"):
        try:
            found.append((folder / "cmdline").read_bytes())
        except OSError:
            continue
    return found


def wait_for(words: str, log: Path, process: subprocess.Popen[bytes], within: float = 200) -> None:
    """Until the drill has said it."""
    deadline = time.monotonic() + within
    while words not in log.read_text():
        assert process.poll() is None, f"ended before {words!r}:\n{log.read_text()}"
        assert time.monotonic() < deadline, f"never said {words!r}:\n{log.read_text()}"
        time.sleep(0.1)
