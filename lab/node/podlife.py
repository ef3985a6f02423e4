"""What every pod on a lab node has, whatever runs in it: where it stands, whom it tells, and its orderly end."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from lab.node import bootstrap
from lab.node.phases import Life
from lab.node.podspec import PodSpec
from lab.node.proxyrun import EnvoyRun

Report = Callable[[PodSpec, Life], None]
Endpoints = Callable[[], bootstrap.Config]


@dataclass(frozen=True, slots=True)
class Outside:
    """What a pod needs from its kubelet: who to tell, and which endpoints a gateway starts with."""

    report: Report
    endpoints: Endpoints


class PodLife(ABC):
    """``envoy`` is None for a pod none of whose containers is one."""

    def __init__(self, spec: PodSpec, address: str, envoy: EnvoyRun | None, out: Outside) -> None:
        self.spec = spec
        self.address = address
        self.envoy = envoy
        self._out = out
        self._life = Life()
        self._ending = asyncio.Event()
        self._grace = spec.grace

    @property
    def life(self) -> Life:
        return self._life

    def end(self, grace: float) -> None:
        """Begin the orderly end, with at most ``grace`` seconds; a later, shorter grace wins."""
        self._grace = min(self._grace, grace) if self._ending.is_set() else grace
        self._ending.set()

    def log(self, container: str) -> Path | None:  # noqa: ARG002
        """Where a container that runs for real writes; None for one that writes nothing."""
        return None

    @abstractmethod
    async def run(self) -> None:
        """Live until :meth:`end`, then wind down."""

    def _tell(self, life: Life) -> None:
        """Report what changed; how long a probe has been failing is nobody else's business."""
        before, self._life = self._life, life
        if replace(life, failing_since=None) != replace(before, failing_since=None):
            self._out.report(self.spec, life)
