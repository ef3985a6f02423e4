"""A whole simulated cluster in this process: store, admission, controllers and the HTTP API."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from lab.kube.access import Access
from lab.kube.admission import install
from lab.kube.api import schema
from lab.kube.api.routes import Routes
from lab.kube.api.server import Server
from lab.kube.catalog import Catalog
from lab.kube.controllers import all_controllers
from lab.kube.controllers.loop import ControlLoop
from lab.kube.credentials import credentials_in, kubeconfig, tls_context, write_atomically
from lab.kube.resource import NAMESPACES
from lab.kube.store import Store

_FIRST_NAMESPACES: Sequence[str] = ("default", "kube-system", "kube-public", "kube-node-lease")


@dataclass(slots=True)
class Cluster:
    """Built by :func:`assemble`; ``start`` needs a running event loop, everything before it does not."""

    store: Store
    loop: ControlLoop
    server: Server
    _task: asyncio.Task[None] | None = None

    async def start(self, port: int = 0) -> int:
        """Serve and reconcile; returns the port. Raises OSError when ``port`` is taken."""
        await self.server.start(port)
        self._task = asyncio.create_task(self.loop.run(), name="controllers")
        await asyncio.to_thread(schema.warm)
        return self.server.port

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        await self.server.stop()


def assemble(store: Store, version: str, credentials_folder: Path) -> Cluster:
    """``version`` is the site's Kubernetes version; certificate and token are kept in the folder."""
    catalog = Catalog(store)
    loop = ControlLoop(store)
    install(store)
    for controller in all_controllers(store):
        loop.add(controller)
    for name in _FIRST_NAMESPACES:
        store.create(NAMESPACES, {"metadata": {"name": name}})
    credentials = credentials_in(credentials_folder)
    access = Access(store, credentials.token)
    server = Server(Routes(store, catalog, access, version), access, tls_context(credentials))
    return Cluster(store, loop, server)


def write_kubeconfig(path: Path, credentials_folder: Path, port: int, name: str) -> None:
    """Atomically, readable by its owner only: it carries the token."""
    text = kubeconfig(credentials_in(credentials_folder), port, name)
    write_atomically(path, text, mode=0o600)
