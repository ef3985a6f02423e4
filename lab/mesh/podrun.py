"""One pod of the drill on its node: its volumes, its one process, its surroundings, and what it has to say.

What it is told and what it says lies in the node's share folder, so that a drill reaches it from outside whether the
node is a namespace or a machine; its volumes, which may hold keys, never leave the node. The same life as a pod of
upstream's programs (:mod:`lab.real.podrun`); but it shares its node's network and has its address on loopback, as
every pod of the simulated cluster.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.kube.objects import Obj
from lab.mesh.stand_ins import StandIn, lag
from lab.mesh.surroundings import FILE, OUTBOX, POD_FOLDERS, Surroundings, read_control
from lab.node.machine import Machine
from lab.node.phases import probed
from lab.node.podlife import Outside
from lab.node.podspec import PodSpec, Readiness
from lab.pace import NAME, SLOWNESS, paced
from lab.real.podrun import Place, ProgramRun
from lab.real.probes import ready
from lab.real.programs import Start
from lab.real.volumes import Volumes
from rollout.errors import RackrollError

_LOOK = paced(0.2)
_PATIENCE = Readiness(period=1.0, failures=3)
"""A machine under load answers late; a pod that leaves its Service for that would not be dialled."""


@dataclass(frozen=True, slots=True)
class Ties:
    """What binds a pod to the rest: who stands around it, and who hears what it says."""

    around: Callable[[Obj, StandIn, str], Surroundings]
    hear: Callable[[Obj, Mapping[str, Any]], None]


@dataclass(frozen=True, slots=True)
class OnLoopback:
    """A pod's address on the node's own loopback."""

    machine: Machine
    address: str

    @property
    def netns(self) -> None:
        return None

    async def make(self) -> None:
        await self._address("replace")

    async def remove(self) -> None:
        await self._address("del")

    async def _address(self, verb: str) -> None:
        await self.machine.run("ip", "address", verb, f"{self.address}/32", "dev", "lo")


class MeshRun(ProgramRun):
    """``told``: how much of what the pod said was carried on."""

    def __init__(
        self, spec: PodSpec, pod: Obj, place: Place, volumes: Volumes, out: Outside, role: StandIn, ties: Ties
    ) -> None:
        super().__init__(spec, pod, place, volumes, out)
        self.refresh = lag(pod)
        self._role = role
        self._ties = ties
        self._told = 0
        self._open = f"/run/lab/{POD_FOLDERS}/{Path(volumes.folder).name}"

    def log(self, container: str) -> Path | None:
        """One process for all the containers that it stands for."""
        return super().log(self._role.start.container["name"]) if container in self._role.real else None

    def _network(self) -> OnLoopback:
        return OnLoopback(self._place.machine, self._place.address)

    def _starts(self) -> Sequence[Start]:
        for folder in (self._volumes.folder, self._open):
            self._place.machine.path(folder).mkdir(mode=0o700, parents=True, exist_ok=True)
        self.surround()
        return (self._role.start,)

    def surround(self) -> None:
        """Write down who is around now. Raises OSError before the pod has a folder, RackrollError without a node."""
        target = self._place.machine.path(f"{self._open}/{FILE}")
        text = self._ties.around(self._pod, self._role, self.address).dump()
        if not target.exists() or target.read_text() != text:
            draft = target.with_suffix(".draft")
            draft.write_text(text)
            draft.replace(target)

    def _environment(self, container: Obj) -> dict[str, str]:
        return {
            **super()._environment(container),
            "LAB_FOLDER": self._open,
            NAME: str(SLOWNESS),
            "LAB_ADDRESS": self.address,
            "LAB_MESH": self._role.mesh,
            "LAB_VERSION": self._role.version,
        }

    async def _probe(self) -> None:
        loop = asyncio.get_running_loop()
        real = [c for c in self._pod["spec"]["containers"] if c["name"] in self._role.real]
        while True:
            self._listen()
            passed = await ready({"spec": {"containers": real}}, self._running[-1].inner.pid, self.address)
            self._tell(probed(self._life, passed, _PATIENCE, loop.time()))
            await asyncio.sleep(_LOOK)

    def _listen(self) -> None:
        """Carry on what the process has said since; a line that is not whole yet is left for the next time."""
        outbox = self._place.machine.path(f"{self._open}/{OUTBOX}")
        if not outbox.exists():
            return
        with outbox.open("rb") as source:
            source.seek(self._told)
            for line in source:
                if not line.endswith(b"\n"):
                    return
                self._told += len(line)
                self._ties.hear(self._pod, json.loads(line))

    async def _leave(self) -> None:
        """A frozen pod does not go: it stands for a node whose kubelet does not get rid of it."""
        folder = self._place.machine.path(self._open)
        while read_control(folder).frozen:
            await asyncio.sleep(_LOOK)
        await super()._leave()

    async def _clean_up(self) -> None:
        await super()._clean_up()
        with contextlib.suppress(RackrollError):
            shutil.rmtree(self._place.machine.path(self._open), ignore_errors=True)
