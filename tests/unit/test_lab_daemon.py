"""The lab daemon as a process: what it leaves for others to find, how it stops, what a restart keeps."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.contract.target import Api, Json, Target, eventually

ROOT = Path(__file__).parents[2]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A site of its own, next to the charts its file names."""
    site = tmp_path / "inventory" / "lab"
    site.mkdir(parents=True)
    shutil.copy(ROOT / "inventory/lab/site.yaml", site / "site.yaml")
    (tmp_path / "lab").mkdir()
    (tmp_path / "lab" / "charts").symlink_to(ROOT / "lab/charts")
    return site


@contextmanager
def daemon(folder: Path) -> Iterator[Json]:
    """Running with simulated nodes; yields what it says of itself."""
    command = [sys.executable, "-m", "lab.daemon", str(folder), "--simulated-nodes"]
    process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)})
    word = folder / ".lab/daemon.json"
    try:
        eventually(lambda: word.exists() or process.poll() is not None)
        assert process.poll() is None, "the daemon ended at once"
        yield json.loads(word.read_text())
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0


def test_it_serves_stops_cleanly_and_keeps_its_port_but_not_its_state(folder: Path) -> None:
    kubeconfig = folder / ".lab/kubeconfig"
    with daemon(folder) as first:
        api = Api(Target(kubeconfig, simulated=True))
        assert len(api.get("/api/v1/nodes")["items"]) == 6
        assert api.call("POST", "/api/v1/namespaces", {"metadata": {"name": "shop"}}).code == 201
        assert kubeconfig.stat().st_mode & 0o077 == 0
    assert not (folder / ".lab/daemon.json").exists()
    with daemon(folder) as second:
        assert second["port"] == first["port"]
        assert api.get("/api/v1/namespaces/shop").code == 404  # the old client and token still work
        stale = api.get("/api/v1/namespaces", watch="true", resourceVersion="1", timeoutSeconds="1")
        assert "410" in json.dumps(stale.body)
    rows = [json.loads(line) for line in (folder / ".lab/logs/daemon.jsonl").read_text().splitlines()]
    assert rows[-1]["message"] == "stopped"


def test_a_bad_site_is_told_without_a_traceback(tmp_path: Path) -> None:
    (tmp_path / "site.yaml").write_text("site: [")
    command = [sys.executable, "-m", "lab.daemon", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 1
    assert "site.yaml" in done.stderr
    assert "Traceback" not in done.stderr
