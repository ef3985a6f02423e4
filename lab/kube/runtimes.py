"""How the API reaches into pods: each node's agent registers what exec and logs mean on that node."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from lab.kube.objects import Obj

ExecHandler = Callable[[Obj, str, tuple[str, ...]], Awaitable[tuple[int, bytes, bytes]]]
"""(pod, container, argv) -> (exit code, stdout, stderr)."""
LogHandler = Callable[[Obj, str], Awaitable[bytes]]
"""(pod, container) -> everything written so far."""
MountHandler = Callable[[str, str], bytes | None]
"""(volume, file) -> what the pod's node holds there now, which may lag behind the API; None where nothing is."""


@dataclass(frozen=True, slots=True)
class Runtime:
    exec: ExecHandler
    logs: LogHandler


class Runtimes:
    """Node name -> runtime. A node without one cannot be reached, as a node whose kubelet is down."""

    def __init__(self) -> None:
        self._by_node: dict[str, Runtime] = {}
        self.mounts: dict[str, MountHandler] = {}
        """By uid, of pods whose volumes are files on a node: for what reads a mounted file at admission."""

    def register(self, node: str, runtime: Runtime) -> None:
        self._by_node[node] = runtime

    def remove(self, node: str) -> None:
        self._by_node.pop(node, None)

    def of(self, node: str) -> Runtime | None:
        return self._by_node.get(node)
