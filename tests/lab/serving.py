"""A lab of a test's own that serves the echo application, and clients outside that count what they lose."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from lab.load.process import RunningLoad, from_outside, load_argv
from lab.load.tally import LoadCount
from lab.sitecopy import copy_site
from rollout.site.load import load_site
from tests.lab.rackroll_command import ROOT, Site


@contextmanager
def serving(
    folder: Path,
    name: str,
    loopback: str,
    edit: Callable[[dict[str, Any]], None] = lambda _: None,
    *,
    real: bool = False,
) -> Iterator[Site]:
    """Two racks brought up by rackroll and serving. ``edit`` changes the site file before anything is made.

    ``real``: on upstream's Kubernetes and MetalLB.
    """
    site = Site(copy_site(ROOT / "inventory" / "lab", folder, name=name, loopback=loopback))
    file = folder / "site.yaml"
    document = yaml.safe_load(file.read_text(encoding="utf-8"))
    edit(document)
    file.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    plan = folder.with_name(f"{folder.name}-bringup.json")
    try:
        site.run("lab", "up", *(["--real"] if real else []))
        site.serve_echo()
        site.run("plan", "bringup", "--out", str(plan))
        site.run("apply", str(plan), "--yes")
        yield site
    finally:
        site.run("lab", "down")


class Clients:
    """``count`` is there once the context is left."""

    def __init__(self) -> None:
        self.count = LoadCount()

    @property
    def lost(self) -> tuple[int, int]:
        """Fresh connections and kept-alive ones."""
        return self.count.lost, self.count.keepalive_lost


@contextmanager
def clients(folder: Path, *, rate: float = 120, keepalive: int = 20) -> Iterator[Clients]:
    site = load_site(folder)
    argv = load_argv(site.gateways[0], site.probe, rate=rate, keepalive=keepalive)
    found = Clients()
    with RunningLoad(from_outside(site, argv)) as load:
        yield found
        found.count = load.stop()
    assert found.count.sent > 0
