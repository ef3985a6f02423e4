"""kube-proxy's loop on one node: services and endpoints in, one atomic nft transaction per change out."""

from __future__ import annotations

import logging

from lab.kube.resource import ENDPOINT_SLICES, SERVICES
from lab.kube.store import Store
from lab.node.facts import services
from lab.node.machine import Machine
from lab.node.nat import render, vip_rules
from lab.node.wake import Wake
from rollout.errors import RackrollError

_log = logging.getLogger(__name__)
_RESYNC = 2.0


class KubeProxy:
    def __init__(self, store: Store, machine: Machine) -> None:
        self._store = store
        self._machine = machine
        self._applied: tuple[object, str] = (None, "")

    async def run(self) -> None:
        wake = Wake()
        wake.on(self._store, (SERVICES, ENDPOINT_SLICES))
        wake.set()
        while True:
            await wake.wait(_RESYNC)
            if not self._machine.alive:
                continue
            try:
                await self._sync()
            except RackrollError as error:
                _log.warning("kube-proxy on %s: %s", self._machine.name, error)
                self._applied = (None, "")

    async def _sync(self) -> None:
        known = services(self._store.list(SERVICES), self._store.list(ENDPOINT_SLICES))
        script = render(vip_rules(known, self._machine.name))
        wanted = (self._machine.host().init, script)
        if wanted != self._applied:
            await self._machine.run("nft", "-f", "-", script=script)
            self._applied = wanted
