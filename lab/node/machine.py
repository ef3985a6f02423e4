"""One lab node as the agents reach it: run a program in it, start one that lasts, read and write its files.

Files are reached through ``/proc/<init>/root``, so nothing is forked for a readiness probe, an endpoints
file or a request to Envoy's admin socket.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.host.enter import command
from lab.node.ledger import Ledger
from lab.process import ProcessRef, children, kill, reference
from lab.state import HostState, log_folder, read_state
from rollout.errors import RackrollError, Unreachable

_FORK_WAIT = 60.0
"""Seconds for nsenter to fork: at once, but an emulated machine that is starved takes several."""


@dataclass(frozen=True, slots=True)
class Machine:
    """``index`` is the node's place in the site, from 1; it names the node's pod network 10.244.<index>.0/24."""

    folder: Path
    name: str
    index: int
    fabric_address: str
    ledger: Ledger

    def host(self) -> HostState:
        """The running host; raises Unreachable when it has died."""
        state = read_state(self.folder).host(self.name)
        if not state.init.alive:
            raise Unreachable("this lab host is not running", where=self.name, hint="run `rackroll lab up`")
        return state

    @property
    def alive(self) -> bool:
        try:
            return self.host().init.alive
        except RackrollError:
            return False

    def path(self, inside: str) -> Path:
        """A file of the node, by its path inside the node."""
        return Path(f"/proc/{self.host().init.pid}/root") / inside.lstrip("/")

    async def run(self, *argv: str, script: str = "") -> str:
        """Run to completion and return stdout; raises RackrollError with the last line of stderr."""
        process = await asyncio.create_subprocess_exec(
            *command(self.folder, self.name, argv),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate(script.encode())
        if process.returncode != 0:
            said = (err or out).decode(errors="replace").strip().splitlines() or ["it said nothing"]
            raise RackrollError(f"{' '.join(argv[:3])} failed: {said[-1]}", where=f"lab node {self.name}")
        return out.decode(errors="replace")

    def log(self, name: str) -> Path:
        """Where a process that lasts writes, under the name that it was started with."""
        return log_folder(self.folder) / "nodes" / f"{self.name}-{name}.log"

    async def start(self, name: str, argv: Sequence[str]) -> Lasting:
        """Start a process that lasts; it dies with this daemon, with the node, or by :meth:`Lasting.kill`."""
        log = self.log(name)
        log.parent.mkdir(parents=True, exist_ok=True)
        entering = command(self.folder, self.name, argv, die_with_parent=True)
        with log.open("ab") as sink:
            outer = await asyncio.create_subprocess_exec(
                "setpriv",
                "--pdeathsig=KILL",
                "--",
                *entering,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
                start_new_session=True,
            )
        inner = await _forked(outer)
        if inner is None:
            hung = outer.returncode is None
            if hung:
                outer.kill()
            await outer.wait()
            what = f"did not start within {_FORK_WAIT:g} s" if hung else "ended at once"
            raise RackrollError(f"{name} {what}", where=f"lab node {self.name}", hint=f"read {log}")
        self.ledger.add(inner)
        return Lasting(outer, inner, self.ledger, log)


@dataclass(frozen=True, slots=True)
class Lasting:
    """A process inside a node. ``outer`` is the nsenter that waits for it, ``inner`` the program itself."""

    outer: asyncio.subprocess.Process
    inner: ProcessRef
    ledger: Ledger
    log: Path

    @property
    def alive(self) -> bool:
        return self.outer.returncode is None

    async def wait(self) -> int:
        code = await self.outer.wait()
        self.ledger.drop(self.inner)
        return code

    def terminate(self) -> None:
        if self.inner.alive:
            os.kill(self.inner.pid, signal.SIGTERM)

    async def kill(self) -> None:
        kill(self.inner)
        await self.wait()


async def _forked(outer: asyncio.subprocess.Process) -> ProcessRef | None:
    """The program that nsenter forked, once it is there; None if nsenter ended instead."""
    deadline = asyncio.get_running_loop().time() + _FORK_WAIT
    while outer.returncode is None and asyncio.get_running_loop().time() < deadline:
        found = children(outer.pid)
        if found:
            try:
                return reference(found[0])
            except ProcessLookupError:
                return None
        await asyncio.sleep(0.003)
    return None
