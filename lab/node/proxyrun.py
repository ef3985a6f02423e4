"""One pod's Envoy on a node: start it, ask it, drain it as pilot-agent would, end it."""

from __future__ import annotations

import asyncio
import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from lab.node import bootstrap
from lab.node.admin import Answer, ask
from lab.node.bootstrap import Place
from lab.node.envoy import ensure, envoy_version
from lab.node.machine import Lasting, Machine
from lab.node.podspec import Drain
from rollout.errors import RackrollError

_ACTIVE = "/stats?filter=^http\\.(http|inbound)-.*downstream_cx_active$&format=text"
_ZERO_CHECK = 1.0


@dataclass(frozen=True, slots=True)
class EnvoyRun:
    """``config`` is rendered for ``place``; ``istio`` is the proxy image's version and picks the program."""

    machine: Machine
    place: Place
    istio: str
    config: bootstrap.Config

    def prepare(self, endpoints: bootstrap.Config) -> None:
        """Write the files Envoy reads. Its folder is new for each start, so no stale socket is met."""
        folder = self.machine.path(self.place.folder)
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "eds").mkdir(parents=True)
        (folder / "envoy.json").write_text(json.dumps(self.config, indent=1))
        self.follow(endpoints)

    def follow(self, endpoints: bootstrap.Config) -> None:
        """Replace the endpoints by rename: Envoy watches the folder and does not notice writes in place."""
        target = self.machine.path(self.place.endpoints_file)
        draft = target.with_suffix(".draft")
        draft.write_text(json.dumps(endpoints))
        draft.replace(target)

    async def start(self) -> Lasting:
        """Start the Envoy; raises EnvoyMissing when there is no such Envoy, RackrollError when it ends at once."""
        program = await asyncio.to_thread(ensure, envoy_version(self.istio))
        return await self.machine.start(f"envoy-{self.place.pod}", _argv(program, self.place))

    async def ask(self, method: str, target: str) -> Answer | None:
        """The admin interface's answer; None when the Envoy, or its node, does not answer."""
        try:
            socket = self.machine.path(self.place.admin_socket)
        except RackrollError:
            return None
        return await ask(socket, method, target)

    async def ready(self) -> bool:
        answer = await self.ask("GET", "/ready")
        return answer is not None and answer.status == 200

    async def drain(self, drain: Drain) -> None:
        """pilot-agent's answer to SIGTERM: drain, wait, and return when the proxy may end."""
        await self.ask("POST", "/drain_listeners?graceful&skip_exit")
        if not drain.exit_on_zero:
            await asyncio.sleep(drain.duration)
            return
        await asyncio.sleep(drain.minimum)
        while await self._active_connections() > 0:
            await asyncio.sleep(_ZERO_CHECK)

    async def _active_connections(self) -> int:
        answer = await self.ask("GET", _ACTIVE)
        lines = answer.body.decode(errors="replace").splitlines() if answer else ()
        return sum(int(line.rpartition(":")[2]) for line in lines if ":" in line)

    def clear(self) -> None:
        shutil.rmtree(self.machine.path(self.place.folder), ignore_errors=True)


def _argv(program: Path, place: Place) -> list[str]:
    """Istio's own arguments, with one worker thread so that a lab of many Envoys fits on two cores."""
    flags = {
        "--config-path": f"{place.folder}/envoy.json",
        "--concurrency": "1",
        "--drain-time-s": "45",
        "--drain-strategy": "immediate",
        "--log-level": "warning",
    }
    return [str(program), "--disable-hot-restart", *(word for pair in flags.items() for word in pair)]
