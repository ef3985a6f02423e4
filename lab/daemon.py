"""The lab's Kubernetes: ``python -m lab.daemon <site folder> [--simulated-nodes]``.

One process with the simulated API, its controllers and the node agents; virtual machines have their agents inside
(:mod:`lab.vm.nodes`). It writes ``.lab/kubeconfig`` and
``.lab/daemon.json``; SIGTERM stops it cleanly. Its state is in memory: **a restart forgets every object**,
only the port, the token and the certificate stay the same.
"""

from __future__ import annotations

import argparse
import asyncio
import errno
import json
import logging
import os
import signal
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from lab.kube.api.routes import version_info
from lab.kube.cluster import Cluster, assemble, write_kubeconfig
from lab.kube.credentials import write_atomically
from lab.kube.kubelet import SimulatedKubelet
from lab.kube.store import Store
from lab.vm.state import vm_folder
from rollout.errors import RackrollError
from rollout.model.site import Site
from rollout.site.load import load_site

_log = logging.getLogger("lab.daemon")


class _Agents(Protocol):
    async def stop(self) -> None: ...


class JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        when = datetime.fromtimestamp(record.created, UTC).isoformat()
        row = {"at": when, "level": record.levelname, "from": record.name, "message": record.getMessage()}
        if record.exc_info:
            row["trace"] = self.formatException(record.exc_info)
        return json.dumps(row)


async def serve(site: Site, folder: Path, *, simulated: bool, stop: asyncio.Event) -> None:
    """Run until ``stop`` is set. ``daemon.json`` appears when everything serves, and goes at the end."""
    state = folder / ".lab"
    cluster = assemble(Store(), site.kubernetes.version, state / "api")
    port = await _started(cluster, state / "api" / "port")
    agents = await _nodes(cluster, site, folder, simulated=simulated)
    write_kubeconfig(state / "kubeconfig", state / "api", port, site.name)
    started = datetime.now(UTC).isoformat(timespec="seconds")
    word = {"pid": os.getpid(), "port": port, "startedAt": started, "simulatedNodes": agents is None}
    write_atomically(state / "daemon.json", json.dumps(word))
    _log.info("serving on port %d", port)
    try:
        await stop.wait()
    finally:
        (state / "daemon.json").unlink(missing_ok=True)
        if agents is not None:
            await agents.stop()
        await cluster.stop()
        _log.info("stopped")


async def _started(cluster: Cluster, memory: Path) -> int:
    """Listen on the port this folder had before, or on a free one if there is none or someone took it."""
    before = int(memory.read_text()) if memory.exists() else 0
    try:
        port = await cluster.start(before)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        _log.warning("port %d is taken by someone else: taking another, old kubeconfigs end here", before)
        port = await cluster.start(0)
    write_atomically(memory, str(port))
    return port


async def _nodes(cluster: Cluster, site: Site, folder: Path, *, simulated: bool) -> _Agents | None:
    if not simulated and vm_folder(folder).exists():
        from lab.vm import nodes

        return await nodes.start(cluster, site, folder)
    if not simulated:
        from lab.node import agents

        return await agents.start(cluster.store, site, folder)
    addresses = {node.name: str(node.fabric_address) for node in site.nodes}
    version = str(version_info(site.kubernetes.version)["gitVersion"])
    SimulatedKubelet(cluster.store, addresses, version).start(cluster.loop)
    return None


def log_to(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(path)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)


async def _until_stopped(site: Site, folder: Path, *, simulated: bool) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await serve(site, folder, simulated=simulated, stop=stop)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m lab.daemon", description="the lab's simulated Kubernetes"
    )
    parser.add_argument("folder", type=Path, help="the folder that holds site.yaml")
    parser.add_argument(
        "--simulated-nodes", action="store_true", help="no agents: pods only look as if they ran"
    )
    given = parser.parse_args(argv)
    folder: Path = given.folder.absolute()
    try:
        site = load_site(folder)
        log_to(folder / ".lab" / "logs" / "daemon.jsonl")
        asyncio.run(_until_stopped(site, folder, simulated=given.simulated_nodes))
    except RackrollError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
