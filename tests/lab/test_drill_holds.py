"""Drills that break off, and one that is held: nothing is left behind, and the next one starts clean."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.lifecycle import down
from tests.lab.drill_command import Drills, wait_for

pytestmark = pytest.mark.lab


@pytest.fixture
def drills(tmp_path: Path) -> Iterator[Drills]:
    found = Drills(tmp_path / "state")
    try:
        yield found
    finally:
        down(found.site)


def test_a_drill_that_is_interrupted_leaves_no_namespace_folder_or_process(
    drills: Drills, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    process = drills.start(log, "--mesh", "linkerd", "--fault", "crash", "--no-naive")
    wait_for("[4/", log, process)
    assert len(drills.left()) > 10, "there was something to leave"
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=120) == 130, log.read_text()
    assert drills.left() == []
    assert drills.history() == []


def test_after_kill_9_a_second_one_is_refused_no_longer_and_what_is_tampered_with_is_held(
    drills: Drills, tmp_path: Path
) -> None:
    """The old root is taken out of one verifier by hand in mid-drain: held, not plunged on; mended, finished."""
    log = tmp_path / "log"
    first = drills.start(log, "--mesh", "linkerd", "--no-naive")
    wait_for("wiring", log, first)
    refused = drills.rotate("--mesh", "linkerd", within=60)
    assert refused.returncode == 3
    assert "a drill is at work here" in refused.stderr
    wait_for("[4/", log, first)
    first.kill()
    first.wait()
    assert len(drills.left()) > 10
    done = drills.rotate("--mesh", "linkerd", "--fault", "tampered-trust", "--no-naive")
    assert done.returncode == 0, done.stderr
    (entry,) = drills.history()
    assert entry["fault"]["held_by"] == "PKI-TRUST"
    assert "does not trust" in entry["fault"]["detail"]
    assert json.loads(done.stdout)["old_root"]["live_leaves"] == 0
    assert entry["handshakes"]["failed"] > 0, "the verifier refused its peers until it was mended"
    assert entry["elsewhere"]["tried"] > 1000
    assert entry["elsewhere"]["failed"] == 0
    assert drills.left() == []
