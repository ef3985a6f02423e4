"""One lab of the demo from nothing to torn down: the stage that both the good and the naive upgrade play on."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from lab.lifecycle import down, up
from lab.sitecopy import copy_site
from rollout.cli.demo.record import RecordedHosts, RecordedSwitches
from rollout.cli.world import build_world
from rollout.engine.ports import World
from rollout.model.site import Site
from rollout.site.load import load_site

ROOT = Path(__file__).resolve().parents[3]
LAB_SITE = ROOT / "inventory" / "lab"
DEMO_LOOPBACK = "127.89."


@dataclass(frozen=True, slots=True)
class Stage:
    """A built lab, the world over it, and what its hosts and switches were told."""

    site: Site
    world: World
    hosts: RecordedHosts
    switches: RecordedSwitches
    seconds_up: float


def demo_folder() -> Path:
    """Where the demo keeps its copy of the lab site: user state, outside the repository."""
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(base) / "rackroll" / "demo"


@contextmanager
def lab_stage(say: Callable[[str], None]) -> Iterator[Stage]:
    """Build a fresh lab and remove it on every way out; a leftover of a killed demo is removed first."""
    folder = demo_folder()
    _clear(folder)
    copy_site(LAB_SITE, folder, name="demo", loopback=DEMO_LOOPBACK)
    try:
        started = time.monotonic()
        site = load_site(folder)
        up(site, progress=say)
        yield _staged(site, time.monotonic() - started)
    finally:
        _clear(folder)


def _staged(site: Site, seconds_up: float) -> Stage:
    world = build_world(site)
    hosts, switches = RecordedHosts(world.hosts), RecordedSwitches(world.switches)
    return Stage(site, replace(world, hosts=hosts, switches=switches), hosts, switches, seconds_up)


def _clear(folder: Path) -> None:
    if folder.exists():
        down(folder, progress=lambda _: None)
        shutil.rmtree(folder)
