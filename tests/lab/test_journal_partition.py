"""A journal in Postgres whose packets are dropped: the run ends by itself, and the lock is free for another machine.

In a network namespace of its own, because a rule that drops packets must not reach the machine's.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.postgres import program

pytestmark = pytest.mark.lab

ROOT = Path(__file__).parents[2]


def test_a_partitioned_run_ends_resumable_and_its_lock_is_freed(tmp_path: Path) -> None:
    if program("initdb") is None and os.environ.get("CI") != "true":
        pytest.skip("no Postgres here: apt-get install postgresql")
    inside = f"ip link set lo up && exec {sys.executable} -m tests.lab.partition {tmp_path}"
    done = subprocess.run(
        ["unshare", "--net", "--fork", "--kill-child", "sh", "-c", inside],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    seconds = dict(line.split(" ") for line in done.stdout.splitlines())
    assert float(seconds["stop"]) < 8
    assert float(seconds["end"]) < 20
    assert 5 < float(seconds["free"]) < 20
