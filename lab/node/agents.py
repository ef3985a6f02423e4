"""One kubelet, one kube-proxy and one speaker per node of the site, as tasks of the lab daemon."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import shutil
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from lab.kube.store import Store
from lab.mesh.nodes import MeshNodes
from lab.mesh.surroundings import POD_FOLDERS
from lab.node import network
from lab.node.execute import runtime
from lab.node.kubelet import Backend, Kubelet
from lab.node.ledger import PROCESSES, Ledger
from lab.node.machine import Machine
from lab.node.proxy import KubeProxy
from lab.node.speaker import Speaker
from lab.state import lab_folder, share_folder
from rollout.errors import RackrollError
from rollout.model.site import Site

_log = logging.getLogger(__name__)
BACKEND_SERVICE = "echo"
_RETRY = 2.0


class NodeAgents:
    """The running agents of a lab. ``stop`` ends every process they started."""

    def __init__(self, store: Store, tasks: list[asyncio.Task[None]], nodes: tuple[str, ...]) -> None:
        self._store = store
        self._tasks = tasks
        self._nodes = nodes

    async def stop(self) -> None:
        for node in self._nodes:
            self._store.runtimes.remove(node)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def start(store: Store, site: Site, folder: Path, only: str = "") -> NodeAgents:
    """Start the agents, or those of one node; ``folder`` is the site folder whose lab is up.

    Returns once every task runs. What an earlier daemon left behind is ended and removed first.
    """
    ledger = Ledger(lab_folder(folder) / PROCESSES)
    left = ledger.reap()
    if left:
        _log.warning("ended %d processes of an earlier daemon", left)
    nodes = machines(site, folder, ledger)
    ours = [machine for machine in nodes if only in ("", machine.name)]
    for machine in ours:
        shutil.rmtree(share_folder(folder, machine.name) / POD_FOLDERS, ignore_errors=True)
    meshes = MeshNodes(store, site, folder)
    tasks = [task for machine in ours for task in _agents(store, site, machine, nodes, meshes)]
    await asyncio.sleep(0)
    return NodeAgents(store, tasks, tuple(m.name for m in ours))


def machines(site: Site, folder: Path, ledger: Ledger) -> list[Machine]:
    return [
        Machine(folder, node.name, index, str(node.fabric_address), ledger)
        for index, node in enumerate(site.nodes, start=1)
    ]


def backend(site: Site) -> Backend:
    return Backend(site.meshes[0].namespaces[0], BACKEND_SERVICE)


def ports(site: Site) -> tuple[int, ...]:
    """What the gateways' Envoys listen on."""
    return tuple(sorted({80, *(gateway.port for gateway in site.gateways)}))


def _agents(
    store: Store, site: Site, machine: Machine, nodes: list[Machine], meshes: MeshNodes
) -> list[asyncio.Task[None]]:
    version = f"v{site.kubernetes.version}.0"
    kubelet = Kubelet(store, machine, version, backend(site), ports(site), meshes.programs(machine))
    store.runtimes.register(machine.name, runtime(kubelet))
    loops = {
        "network": joined(machine, nodes),
        "kubelet": kubelet.run(),
        "kube-proxy": KubeProxy(store, machine).run(),
        "speaker": Speaker(store, machine, site.metallb.namespace).run(),
    }
    return [asyncio.create_task(guarded(f"{name} on {machine.name}", loop)) for name, loop in loops.items()]


async def joined(machine: Machine, nodes: list[Machine]) -> None:
    """Join the pod network, and again whenever the node was started anew."""
    joined: object = None
    while True:
        with contextlib.suppress(RackrollError):
            init = machine.host().init
            if init != joined:
                await network.join(machine, nodes)
                joined = init
        await asyncio.sleep(_RETRY)


async def guarded(name: str, loop: Coroutine[Any, Any, None]) -> None:
    """A bug in one agent must be seen in the daemon's log, not lost with its task."""
    try:
        await loop
    except asyncio.CancelledError:
        raise
    except Exception:
        _log.exception("%s ended", name)
