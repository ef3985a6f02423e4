"""A pod's own network namespace on its node: one veth, one address, the node as its router."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

from lab.node.machine import Machine
from rollout.errors import RackrollError

_ROUTER = "169.254.1.1"  # the same on every veth, so that a pod's routes do not depend on its node


@dataclass(frozen=True, slots=True)
class Sandbox:
    """``name`` is the namespace's inside the node."""

    machine: Machine
    name: str
    address: str

    @property
    def netns(self) -> str:
        return f"/run/netns/{self.name}"

    async def make(self) -> None:
        """Raises RackrollError; what an earlier try left is removed first."""
        await self.remove()
        veth = f"v{self.name[-10:]}"
        await self._ip(
            f"netns add {self.name}",
            f"link add {veth} type veth peer name eth0 netns {self.name}",
            f"addr add {_ROUTER}/32 dev {veth}",
            f"link set {veth} up",
            f"route replace {self.address}/32 dev {veth}",
        )
        await self.machine.run("ip", "-n", self.name, "-batch", "-", script=self._inside())

    def _inside(self) -> str:
        lines = (
            "link set lo up",
            f"addr add {self.address}/32 dev eth0",
            "link set eth0 up",
            f"route add {_ROUTER} dev eth0 scope link",
            f"route add default via {_ROUTER} dev eth0",
        )
        return "".join(f"{line}\n" for line in lines)

    async def remove(self) -> None:
        """The veth and the route go with the namespace."""
        with contextlib.suppress(RackrollError):
            await self._ip(f"netns del {self.name}")

    async def _ip(self, *lines: str) -> None:
        await self.machine.run("ip", "-batch", "-", script="".join(f"{line}\n" for line in lines))
