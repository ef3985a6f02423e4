"""Run the product in the lab tests the way a user does: as a command, from another process."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Site:
    """A site folder and the commands that act on it."""

    folder: Path

    def argv(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "rollout.cli.main", *words, "-i", str(self.folder)]

    def run(self, *words: str, expect: int = 0, timeout: float = 300) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            self.argv(*words), capture_output=True, text=True, timeout=timeout, cwd=ROOT, check=False
        )
        assert done.returncode == expect, f"{words}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr, done.stderr
        return done

    def start(self, *words: str, log: Path) -> subprocess.Popen[bytes]:
        with log.open("wb") as stream:
            return subprocess.Popen(self.argv(*words), stdout=stream, stderr=stream, cwd=ROOT)

    def kubectl(self, *words: str) -> str:
        kubeconfig = f"--kubeconfig={self.folder / '.lab' / 'kubeconfig'}"
        return subprocess.run(
            ["kubectl", kubeconfig, *words], capture_output=True, text=True, timeout=60, check=True
        ).stdout

    def objects(self, *words: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.kubectl("get", *words, "-o", "json"))["items"]
        return found
