"""What the demo plays on: a site that can be acted upon, and the outside client's load. Real or simulated."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from lab.load.tally import LoadCount
from rollout.cli.demo.record import RecordedHosts, RecordedSwitches
from rollout.engine.ports import World
from rollout.model.site import Site

ROOT = Path(__file__).resolve().parents[3]
LAB_SITE = ROOT / "inventory" / "lab"
ECHO_APP = ROOT / "lab" / "apps" / "echo.yaml"
RATE_PER_SECOND = 120.0
KEPT_ALIVE = 20


class Load(Protocol):
    """A running load: totals so far, and the final count once stopped."""

    @property
    def latest(self) -> LoadCount: ...

    def stop(self) -> LoadCount: ...


class Stage(Protocol):
    """One fresh site, built and not yet brought up."""

    @property
    def site(self) -> Site: ...

    @property
    def world(self) -> World: ...

    @property
    def hosts(self) -> RecordedHosts: ...

    @property
    def switches(self) -> RecordedSwitches: ...

    @property
    def seconds_up(self) -> float: ...

    def load(self) -> AbstractContextManager[Load]: ...

    def envoys(self) -> str:
        """The Envoy versions that really run on the gateway nodes; empty where none runs."""
        ...


class Theatre(Protocol):
    """Builds a fresh stage, and removes it on every way out."""

    def stage(self) -> AbstractContextManager[Stage]: ...
