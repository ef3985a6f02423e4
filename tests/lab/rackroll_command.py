"""Run the product in the lab tests the way a user does: as a command, from another process."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from rollout.adapters.kube.api import connect
from rollout.adapters.kube.cluster import KubeCluster
from rollout.site.load import load_site

ROOT = Path(__file__).resolve().parents[2]
ECHO = ROOT / "lab" / "apps" / "echo.yaml"


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

    def serve_echo(self) -> None:
        """Deploy the echo application, so that there is something for the gateways to serve."""
        KubeCluster(load_site(self.folder)).apply(list(yaml.safe_load_all(ECHO.read_text("utf-8"))))

    def objects(self, path: str) -> list[dict[str, Any]]:
        """The items of a list such as ``/api/v1/nodes``."""
        found: list[dict[str, Any]] = connect(load_site(self.folder).kubernetes).get(path)["items"]
        return found
