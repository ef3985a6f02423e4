"""The demo, whole: it exits 0 only when every promise of its scoreboard was kept (tests/unit/test_cli.py)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.lab.rackroll_command import ROOT


def demo(state: Path, *words: str, within: float = 290) -> tuple[dict[str, Any], str]:
    """The document on stdout and everything on stderr; the demo's site lives under ``state``."""
    argv = [sys.executable, "-m", "rollout.cli.main", "demo", "-o", "json", *words]
    environment = {**os.environ, "XDG_STATE_HOME": str(state)}
    done = subprocess.run(
        argv, capture_output=True, text=True, cwd=ROOT, env=environment, timeout=within, check=False
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found, done.stderr


@pytest.mark.lab
def test_the_demo_upgrades_two_racks_and_loses_nothing_where_the_naive_way_does(tmp_path: Path) -> None:
    found, progress = demo(tmp_path)
    assert "SIMULATED" not in progress
    assert (found["requests"]["lost"], found["requests"]["keepalive_lost"]) == (0, 0)
    assert found["requests"]["sent"] >= 100 * found["seconds"]["upgrade"]
    assert found["gateways"] == {"total": 4, "min_in_rib": 3}
    assert found["naive"]["lost"] > 0
    assert found["versions"] == {
        "before": "istio 1.30.3 (Envoy 1.38.3)",
        "after": "istio 1.31.1 (Envoy 1.39.3)",
    }
    assert not (tmp_path / "rackroll" / "demo").exists()


def test_the_simulated_demo_says_so_and_tells_good_from_naive(tmp_path: Path) -> None:
    found, progress = demo(tmp_path, "--simulated")
    assert progress.startswith("SIMULATED: ")
    assert found["requests"]["keepalive_lost"] is None
    assert found["gateways"]["min_in_rib"] >= found["gateways"]["total"] - 1
    assert found["naive"]["lost"] > 0
    assert found["versions"] == {"before": "istio 1.30.3", "after": "istio 1.31.1"}
