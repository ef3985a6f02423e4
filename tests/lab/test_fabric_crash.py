"""Whatever interrupts ``up``, ``down`` leaves nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lab import netns, registry, services
from lab.fabric.wiring import namespaces
from lab.lifecycle import down, status, up
from lab.process import kill
from lab.sitecopy import copy_site
from lab.topology import topology_of
from rollout.errors import RackrollError
from rollout.model.site import Site
from rollout.site.load import load_site

pytestmark = pytest.mark.lab
ROOT = Path(__file__).parents[2]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    folder = copy_site(ROOT / "inventory" / "lab", tmp_path / "site", name="fabcrash", loopback="127.91.1")
    return load_site(folder)


def assert_nothing_left(site: Site) -> None:
    assert not netns.existing(namespaces(topology_of(site)))
    assert services.running(site.folder) == {}
    assert not (site.folder / ".lab").exists()
    assert registry.claims_of(site.folder) == ()
    assert not (registry.FOLDER / f"{site.name}.json").exists()
    mine = str(site.folder).encode()
    lines = [(pid, _command_line(pid)) for pid in netns.pids() if pid != os.getpid()]
    assert not [line for line in lines if mine in line[1]]


def _command_line(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
@pytest.mark.parametrize("after", [0.45, 0.7, 1.2, 2.0])
def test_down_cleans_an_up_that_was_interrupted(site: Site, number: signal.Signals, after: float) -> None:
    argv = [sys.executable, "-m", "lab.lifecycle", "up", str(site.folder)]
    with subprocess.Popen(
        argv, env={**os.environ, "PYTHONPATH": str(ROOT)}, stderr=subprocess.DEVNULL
    ) as running:
        time.sleep(after)
        running.send_signal(number)
    down(site.folder)
    assert_nothing_left(site)
    assert status(site.folder).parts == ()


def test_down_works_after_the_state_and_a_host_are_gone(site: Site) -> None:
    state = up(site, progress=lambda _line: None)
    kill(state.host("tor-r1").init)
    (site.folder / ".lab" / "state.json").write_text("{")
    with pytest.raises(RackrollError, match="broken lab state"):
        status(site.folder)
    assert down(site.folder)
    assert_nothing_left(site)


def test_a_second_folder_with_the_same_site_name_is_refused_and_the_first_lab_lives(
    site: Site, tmp_path: Path
) -> None:
    other = load_site(copy_site(site.folder, tmp_path / "other", name=site.name, loopback="127.91.2"))
    up(site, progress=lambda _line: None)
    try:
        with pytest.raises(RackrollError, match=f"a lab called {site.name} is up") as refused:
            up(other, progress=lambda _line: None)
        assert str(site.folder) in refused.value.hint
        assert not down(other.folder)
        assert status(site.folder).up
    finally:
        down(site.folder)
    assert_nothing_left(site)


def test_a_namespace_of_somebody_else_is_neither_used_nor_deleted(site: Site) -> None:
    foreign = f"rr-{site.name}-spine"
    subprocess.run(["ip", "netns", "add", foreign], check=True)
    try:
        with pytest.raises(RackrollError, match=f"namespace {foreign} exists already"):
            up(site, progress=lambda _line: None)
        assert not down(site.folder)
        assert netns.existing([foreign]) == (foreign,)
    finally:
        subprocess.run(["ip", "netns", "del", foreign], check=True)
    assert_nothing_left(site)
