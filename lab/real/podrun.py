"""A pod whose containers are upstream's programs: sandbox, volumes, processes, probes, restarts and its end.

The counterpart of :class:`lab.node.podrun.PodRun`, which runs Envoys. Containers of one pod start and restart
together, which a kubelet does one by one; none of the pods here depends on the difference.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from lab.kube.errors import ApiError
from lab.kube.objects import Obj, lookup
from lab.node.machine import Lasting, Machine
from lab.node.phases import Phase, backoff, crashed
from lab.node.podlife import Outside, PodLife
from lab.node.podspec import PodSpec
from lab.real.probes import ready
from lab.real.programs import NoProgram, Start, speaks_bgp, starts
from lab.real.sandbox import Sandbox
from lab.real.volumes import NotThere, Volumes
from rollout.errors import RackrollError

_log = logging.getLogger(__name__)
_PROBE = 0.3
_REFRESH = 2.0
_NODE_BACK = 0.5


@dataclass(frozen=True, slots=True)
class Place:
    """Where the pod runs. ``api`` is the address and port that its programs find the API server at, if they do."""

    machine: Machine
    address: str
    api: tuple[str, int] | None


class Network(Protocol):
    """What gives a pod its address: a namespace of its own, or ``netns`` None for the node's."""

    @property
    def netns(self) -> str | None: ...
    async def make(self) -> None: ...
    async def remove(self) -> None: ...


class ProgramRun(PodLife):
    """None of its containers is an Envoy. ``refresh``: seconds between two looks at what volumes are made from."""

    refresh = _REFRESH

    def __init__(self, spec: PodSpec, pod: Obj, place: Place, volumes: Volumes, out: Outside) -> None:
        super().__init__(spec, place.address, None, out)
        self._pod = pod
        self._place = place
        self._volumes = volumes
        self._running: list[Lasting] = []
        self._sandbox = None if spec.host_network else self._network()

    def _network(self) -> Network:
        return _sandbox(self.spec, self._place)

    def _starts(self) -> Sequence[Start]:
        """What to run, in order. Raises NoProgram."""
        return starts(self._pod)

    def log(self, container: str) -> Path | None:
        return self._place.machine.log(f"{container}-{self.spec.name}")

    async def run(self) -> None:
        """Cancelling kills its programs at once."""
        living = asyncio.create_task(self._live())
        try:
            await self._ending.wait()
            with contextlib.suppress(RackrollError, OSError):
                await self._leave()
        finally:
            living.cancel()
            await asyncio.wait([living])
            await self._clean_up()

    async def _live(self) -> None:
        self._out.report(self.spec, self._life)
        while not self._ending.is_set():
            try:
                await self._one_life()
            except NoProgram as error:
                self._tell(replace(self._life, phase=Phase.NO_IMAGE, message=str(error)))
                await asyncio.sleep(10)
            except NotThere as error:
                self._tell(replace(self._life, message=str(error)))
                await asyncio.sleep(0.5)
            except (RackrollError, ApiError, OSError) as error:
                await self._crashed(str(error))
            except Exception:
                _log.exception("%s/%s", self.spec.namespace, self.spec.name)
                await self._crashed("a bug of the lab: read its log")

    async def _one_life(self) -> None:
        """From one start of all programs to the end of the first that ends."""
        wanted = self._starts()
        self._volumes.write()
        if self._sandbox is not None:
            await self._sandbox.make()
        if speaks_bgp(self._pod):
            await silence(self._place.machine)
        try:
            for start in wanted:
                self._running.append(await self._start(start))
            self._tell(replace(self._life, phase=Phase.RUNNING, ready=False, message=""))
            probing = asyncio.create_task(self._probe())
            refreshing = asyncio.create_task(self._refresh())
            try:
                ends = [asyncio.create_task(process.wait()) for process in self._running]
                await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in (probing, refreshing):
                    task.cancel()
            if not self._ending.is_set():
                await self._crashed(f"a program ended; read {self._running[-1].log}")
        finally:
            await self._kill()

    async def _start(self, start: Start) -> Lasting:
        name = start.container["name"]
        file = f"{self._volumes.folder}/{name}.json"
        document = {
            "netns": self._sandbox.netns if self._sandbox else None,
            "mounts": self._volumes.mounts(start.container, start.only),
            "env": self._environment(start.container),
            "argv": start.argv,
        }
        path = self._place.machine.path(file)
        path.write_text(json.dumps(document))
        path.chmod(0o600)
        argv = [sys.executable, "-m", "lab.real.container", file]
        return await self._place.machine.start(f"{name}-{self.spec.name}", argv)

    def _environment(self, container: Obj) -> dict[str, str]:
        """The pod's own, and the API server as a kubelet tells it; it has no cluster address here."""
        found = {"PATH": os.environ.get("PATH", ""), "PYTHONPATH": os.environ.get("PYTHONPATH", "")}
        if self._place.api is not None:
            host, port = self._place.api
            found |= {"KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": str(port)}
        for entry in container.get("env") or ():
            value = self._own(entry) or self._volumes.value(entry)
            if value is not None:
                found[entry["name"]] = value
        return {name: _expanded(value, found) for name, value in found.items()}

    def _own(self, entry: Obj) -> str | None:
        """Addresses, which the pod's object may not show yet."""
        own = {"status.podIP": self.address, "status.hostIP": self._place.machine.fabric_address}
        return own.get(lookup(entry, "valueFrom", "fieldRef", "fieldPath") or "")

    async def _probe(self) -> None:
        """Every container with a readiness probe must pass; looked at more often than a kubelet does."""
        while True:
            passed = await ready(self._pod, self._running[-1].inner.pid, self.address)
            self._tell(replace(self._life, ready=passed))
            await asyncio.sleep(_PROBE)

    async def _refresh(self) -> None:
        while True:
            await asyncio.sleep(self.refresh)
            with contextlib.suppress(ApiError, RackrollError, OSError):
                self._volumes.refresh()

    async def _crashed(self, message: str) -> None:
        rebooted = not self._place.machine.alive
        while not self._place.machine.alive:
            await asyncio.sleep(_NODE_BACK)
        _log.warning("%s/%s: %s", self.spec.namespace, self.spec.name, message)
        self._tell(crashed(self._life, message))
        await asyncio.sleep(0 if rebooted else backoff(self._life.restarts))

    async def _kill(self) -> None:
        running, self._running = self._running, []
        for process in running:
            if process.alive:
                await process.kill()

    async def _clean_up(self) -> None:
        """Whatever is left is killed."""
        with contextlib.suppress(RackrollError, OSError):
            await self._kill()
            if speaks_bgp(self._pod):
                await silence(self._place.machine)
            if self._sandbox is not None:
                await self._sandbox.remove()
            self._volumes.clear()

    async def _leave(self) -> None:
        """SIGTERM, then at most the grace period, which may become shorter meanwhile (MetalLB's is 0)."""
        began = asyncio.get_running_loop().time()
        for process in self._running:
            process.terminate()
        while any(p.alive for p in self._running):
            if asyncio.get_running_loop().time() >= began + self._grace:
                return
            await asyncio.sleep(0.05)


async def silence(machine: Machine) -> None:
    """FRR's container is new with each speaker pod; here FRR is the node's, so it forgets what it was told."""
    running = await machine.run("vtysh", "-c", "show running-config")
    found = re.search(r"^router bgp (\d+)", running, re.MULTILINE)
    if found:
        await machine.run("vtysh", "-c", "configure terminal", "-c", f"no router bgp {found[1]}")


def _sandbox(spec: PodSpec, place: Place) -> Sandbox:
    return Sandbox(place.machine, f"p-{spec.uid.replace('-', '')[:10]}", place.address)


def _expanded(value: str, known: dict[str, str]) -> str:
    """``$(NAME)`` as Kubernetes expands it."""
    return re.sub(r"\$\((\w+)\)", lambda found: known.get(found[1], found[0]), value)


def folder_of(spec: PodSpec) -> str:
    return str(Path("/run/rackroll") / spec.uid[:13])
