"""One pod from binding to removal: address, containers, probes, restarts, and an orderly end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import replace

from lab.node.envoy import EnvoyMissing
from lab.node.machine import Lasting, Machine
from lab.node.phases import Life, Phase, backoff, crashed, probed
from lab.node.podlife import Outside, PodLife
from lab.node.podspec import PodSpec, PreStop
from lab.node.proxyrun import EnvoyRun
from lab.pace import paced
from rollout.errors import RackrollError

_log = logging.getLogger(__name__)
_PROBE_STARTING = paced(0.1)
_PROBE_READY = paced(0.2)
_DEATH_SHOWS = 0.1
_NODE_BACK = 0.2


class PodRun(PodLife):
    """``envoy`` is None for a pod whose containers are all simulated."""

    def __init__(
        self, spec: PodSpec, machine: Machine, address: str, envoy: EnvoyRun | None, out: Outside
    ) -> None:
        super().__init__(spec, address, envoy, out)
        self._machine = machine
        self._process: Lasting | None = None

    async def run(self) -> None:
        """Cancelling kills the Envoy at once."""
        living = asyncio.create_task(self._live())
        living.add_done_callback(self._note_bug)
        try:
            await self._ending.wait()
            await self._wind_down()
        finally:
            living.cancel()
            await asyncio.wait([living])
            await self._clean_up()

    async def _live(self) -> None:
        self._out.report(self.spec, self._life)
        while not self._ending.is_set():
            try:
                await self._address("replace")
                if self.envoy is None:
                    self._tell(Life(Phase.RUNNING, ready=True))
                    return
                await self._one_life(self.envoy)
            except EnvoyMissing as error:
                self._tell(replace(self._life, phase=Phase.NO_IMAGE, message=str(error)))
                await asyncio.sleep(10)
            except (RackrollError, OSError) as error:
                await self._crashed(str(error))

    async def _one_life(self, envoy: EnvoyRun) -> None:
        """From one start of the Envoy to its end."""
        envoy.prepare(self._out.endpoints())
        self._process = await envoy.start()
        self._tell(replace(self._life, phase=Phase.RUNNING, ready=False, failing_since=None))
        probing = asyncio.create_task(self._probe(envoy))
        try:
            code = await self._process.wait()
        finally:
            probing.cancel()
        if not self._ending.is_set():
            await self._crashed(f"envoy ended with {code}; read {self._process.log}")

    async def _crashed(self, message: str) -> None:
        """Say so and wait before the next start. A node that died is waited for, then started on at once.

        A dying node takes its processes along before it is seen to be dead: hence the moment's pause.
        """
        await asyncio.sleep(_DEATH_SHOWS)
        rebooted = not self._machine.alive
        while not self._machine.alive:
            await asyncio.sleep(_NODE_BACK)
        _log.warning("%s/%s: %s", self.spec.namespace, self.spec.name, message)
        self._tell(crashed(self._life, message))
        await asyncio.sleep(0 if rebooted else backoff(self._life.restarts))

    async def _probe(self, envoy: EnvoyRun) -> None:
        assert self.spec.proxy is not None
        loop = asyncio.get_running_loop()
        while True:
            passed = await envoy.ready()
            self._tell(probed(self._life, passed, self.spec.proxy.readiness, loop.time()))
            await asyncio.sleep(_PROBE_READY if self._life.ready else _PROBE_STARTING)

    async def _wind_down(self) -> None:
        """preStop, then SIGTERM's meaning, all within the grace period; whatever is left is killed."""
        deadline = asyncio.get_running_loop().time() + self._grace
        steps = asyncio.create_task(self._leave())
        while not steps.done() and self._running() and asyncio.get_running_loop().time() < deadline:
            await asyncio.wait([steps], timeout=0.1)
            deadline = min(deadline, asyncio.get_running_loop().time() + self._grace)
        steps.cancel()

    def _running(self) -> bool:
        return self.envoy is None or (self._process is not None and self._process.alive)

    async def _leave(self) -> None:
        await asyncio.gather(*(self._hook(hook) for hook in self.spec.pre_stop))
        if self.envoy is not None and self.spec.proxy is not None:
            await self.envoy.drain(self.spec.proxy.drain)

    async def _hook(self, hook: PreStop) -> None:
        if hook.request is not None and self.envoy is not None:
            await self.envoy.ask(*hook.request)
        await asyncio.sleep(hook.sleep)

    async def _clean_up(self) -> None:
        """Kill what is left, say that nothing serves any more, and give address and files back."""
        with contextlib.suppress(RackrollError, OSError):
            if self._process is not None and self._process.alive:
                await self._process.kill()
            self._tell(replace(self._life, ready=False))
            await self._address("del")
            if self.envoy is not None:
                self.envoy.clear()

    async def _address(self, verb: str) -> None:
        if not self.spec.host_network:
            await self._machine.run("ip", "address", verb, f"{self.address}/32", "dev", "lo")

    def _note_bug(self, living: asyncio.Task[None]) -> None:
        if not living.cancelled() and living.exception() is not None:
            _log.error("%s/%s: %r", self.spec.namespace, self.spec.name, living.exception())
