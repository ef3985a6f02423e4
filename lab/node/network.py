"""The lab's pod network: simulated CNI. Each node has 10.244.<n>.0/24, reached over the out-of-band bridge.

It keeps the fabric's BGP for VIPs alone: the ToR config that rackroll owns accepts nothing else from nodes.
"""

from __future__ import annotations

from collections.abc import Sequence

from lab.node.machine import Machine
from lab.state import read_state


def routes(own: int, others: Sequence[tuple[int, str]]) -> str:
    """An ``ip -batch`` script; ``others`` are (node index, out-of-band address)."""
    lines = [f"route replace blackhole 10.244.{own}.0/24"]
    lines += [f"route replace 10.244.{index}.0/24 via {address}" for index, address in others]
    return "\n".join(lines) + "\n"


async def join(machine: Machine, nodes: Sequence[Machine]) -> None:
    """Routes to every other node's pods, and forwarding for VIPs whose policy is Cluster."""
    state = read_state(machine.folder)
    others = [(n.index, state.host(n.name).oob_address) for n in nodes if n.name != machine.name]
    await machine.run("ip", "-batch", "-", script=routes(machine.index, others))
    await machine.run("sysctl", "-q", "-w", "net.ipv4.ip_forward=1")
