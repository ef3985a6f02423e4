"""``python -m lab.forward <site folder>``: the machine's loopback reaches each lab host's sshd.

One process listens on the site's ssh addresses in the machine's own namespace, then moves into the lab's
out-of-band namespace and connects from there. So no route, address or rule of the machine is touched.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from lab import netns
from lab.state import lab_folder

_CHUNK = 65536


@dataclass(frozen=True, slots=True)
class Route:
    """From a loopback address of the machine to a port on the out-of-band network."""

    listen: str
    port: int
    to: str
    to_port: int = 22


def plan_file(site_folder: Path) -> Path:
    return lab_folder(site_folder) / "forward.json"


def write_plan(site_folder: Path, namespace: str, routes: Sequence[Route]) -> None:
    """What the forwarder reads when it starts; kept so that a dead one can be started again as it was."""
    plan = {"namespace": namespace, "routes": [asdict(route) for route in routes]}
    plan_file(site_folder).write_text(json.dumps(plan))


def listen(route: Route) -> socket.socket:
    """A listening socket; raises OSError (EADDRINUSE) when somebody else has the address."""
    return socket.create_server((route.listen, route.port), backlog=256)


async def serve(listeners: Sequence[tuple[socket.socket, Route]]) -> None:
    live: set[asyncio.Task[None] | None] = set()
    for sock, route in listeners:
        await asyncio.start_server(partial(_relay, live, route), sock=sock)
    await asyncio.Event().wait()


async def _relay(
    live: set[asyncio.Task[None] | None],
    route: Route,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
) -> None:
    """``live`` keeps the task: asyncio itself forgets a connection that is closed at one end only."""
    task = asyncio.current_task()
    live.add(task)
    try:
        await _join(route, reader, writer)
    finally:
        live.discard(task)


async def _join(route: Route, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        far_reader, far_writer = await asyncio.open_connection(route.to, route.to_port)
    except OSError:
        writer.close()
        return
    await asyncio.gather(_pump(reader, far_writer), _pump(far_reader, writer))
    for end in (writer, far_writer):
        end.close()


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while chunk := await source.read(_CHUNK):
            sink.write(chunk)
            await sink.drain()
    with contextlib.suppress(OSError):
        sink.write_eof()


def main(site_folder: str) -> None:
    plan = json.loads(plan_file(Path(site_folder)).read_text())
    routes = [Route(**item) for item in plan["routes"]]
    listeners = [(listen(route), route) for route in routes]
    netns.join(plan["namespace"])
    asyncio.run(serve(listeners))


if __name__ == "__main__":
    main(sys.argv[1])
