"""The played proxies as parties of the product's census: seen by its own script, and restarted when it asks for that.

What stands in for a node is this machine: the script that the product sends over ssh runs here, in a Python of its own,
against the proxies' ports on loopback.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from lab.control.flags import LOOPBACK
from lab.signers.fleet import Proxy
from pki.rotation.sighting import Party
from rollout.adapters.trust.census import Census
from rollout.adapters.trust.home import MeshKeys
from rollout.adapters.trust.members import Member
from rollout.errors import Unreachable


@dataclass(frozen=True, slots=True)
class HereVantage:
    """Every node is this machine. ``ports``: what listens elsewhere here than it does in a pod, by the pod's port."""

    ports: Mapping[int, int] = field(default_factory=dict)

    def run(self, node: str, script: ModuleType, asked: object, timeout: float) -> Any:
        """Raises Unreachable for a script that fails; what it was asked may hold a key and is never repeated."""
        assert script.__file__ is not None
        argv = [sys.executable, "-I", "-S", "-c", Path(script.__file__).read_text(encoding="utf-8")]
        question = json.dumps(self._moved(asked)).encode()
        try:
            done = subprocess.run(argv, input=question, capture_output=True, timeout=timeout, check=False)
        except subprocess.TimeoutExpired:
            raise Unreachable(f"the script took more than {timeout:.0f} s", where=f"node {node}") from None
        if done.returncode:
            last = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
            raise Unreachable(f"the script failed: {' '.join(last)}", where=f"node {node}")
        return json.loads(done.stdout)

    def _moved(self, asked: object) -> object:
        if not isinstance(asked, dict) or asked.get("port") not in self.ports:
            return asked
        return {**asked, "port": self.ports[asked["port"]]}


@dataclass(frozen=True, slots=True)
class Placed:
    """A proxy as a pod: which node it is on, and where it serves."""

    proxy: Proxy
    node: str
    port: int

    @property
    def member(self) -> Member:
        workload = self.proxy.workload
        name, account = workload.account, workload.account
        return Member(name, workload.namespace, self.node, LOOPBACK, self.port, account, "proxy")


@dataclass(frozen=True, slots=True)
class PlayedProxies:
    """Implements :class:`rollout.adapters.trust.proxies.Parties`. ``bound`` are those that a budget never lets go."""

    placed: tuple[Placed, ...]
    census: Census
    bound: set[str] = field(default_factory=set)

    def seen(self, node: str | None, keys: MeshKeys) -> tuple[Party, ...]:
        members = [each.member for each in self.placed if node in (None, each.node)]
        return self.census.take(members, keys.canaries(), keys.stranger(), keys.issuers())

    def renew(self, party: Party) -> bool:
        if party.name in self.bound:
            return False
        for each in self.placed:
            if each.member.name == party.name:
                each.proxy.restart_soon()
        return True
