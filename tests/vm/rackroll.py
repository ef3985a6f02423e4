"""The command line as its user has it, on the machines' site."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
_HOURS = 3600


@dataclass(frozen=True, slots=True)
class Rackroll:
    site: Path

    def code(self, *words: str) -> tuple[int, str]:
        """Exit code and both streams."""
        done = subprocess.run(
            [sys.executable, "-c", "from rollout.cli.main import run; run()", *words],
            capture_output=True,
            text=True,
            cwd=ROOT,
            env={**os.environ, "RACKROLL_INVENTORY": str(self.site), "NO_COLOR": "1"},
            timeout=_HOURS,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    def run(self, *words: str) -> str:
        code, said = self.code(*words)
        assert code == 0, f"rackroll {' '.join(words)} ended with {code}: {said}"
        return said

    def json(self, *words: str) -> Any:
        return json.loads(self.run(*words, "-o", "json"))

    def apply(self, *plan: str) -> str:
        """Plan it, save it, carry it out. ``plan`` may end in ``-- COMMAND``."""
        cut = plan.index("--") if "--" in plan else len(plan)
        file = str(self.site / "test-plan.json")
        self.run(*plan[:cut], "--out", file, *plan[cut:])
        return self.run("apply", file, "--yes")

    def changed_by(self, *plan: str) -> list[str]:
        """Carries it out, and names the steps that had anything to do. A step that only looks has not."""
        self.apply(*plan)
        steps = self.json("status")["steps"]["list"]
        return [step["title"] for step in steps if step["state"] != "already"]

    def edit_mesh(self, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        """The site's one mesh, as its operator edits it in the file."""
        file = self.site / "site.yaml"
        text = file.read_text(encoding="utf-8")
        document = yaml.safe_load(text)
        document["meshes"] = [change(mesh) for mesh in document["meshes"]]
        file.write_text(
            f"{text.splitlines()[0]}\n{yaml.safe_dump(document, sort_keys=False)}", encoding="utf-8"
        )
