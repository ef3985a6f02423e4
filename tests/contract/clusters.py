"""Which cluster the suite runs against.

``RACKROLL_CONTRACT`` says it: ``simulated`` (so it is without one), ``real-1.35`` and other minors that `make tools`
has built, with KWOK as kubelets; ``RACKROLL_CONTRACT_KUBECONFIG`` names any other cluster instead.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from lab.control.flags import API
from lab.control.tools import FAMILIES
from lab.kube.api.routes import version_info
from lab.kube.cluster import Cluster, assemble, write_kubeconfig
from lab.kube.kubelet import SimulatedKubelet
from lab.kube.store import Store
from rollout.adapters.kube.api import connect
from rollout.model.site import Kubernetes
from tests.contract.target import Api, Target, eventually
from tests.real.cluster import real_cluster

NODES = {f"n{number}": f"10.90.0.{number}" for number in range(1, 5)}
SIMULATED, REAL = "simulated", "real-"
_SIMULATED_VERSION = "1.35"


def chosen(environment: Mapping[str, str]) -> str:
    """The target's name: what the environment asks for."""
    if environment.get("RACKROLL_CONTRACT_KUBECONFIG"):
        return "kubeconfig"
    return environment.get("RACKROLL_CONTRACT", SIMULATED)


def target(environment: Mapping[str, str], folder: Path) -> AbstractContextManager[Target]:
    name = chosen(environment)
    if name == "kubeconfig":
        return nullcontext(Target(Path(environment["RACKROLL_CONTRACT_KUBECONFIG"]), simulated=False))
    if name == SIMULATED:
        return simulated(folder)
    minor = name.removeprefix(REAL)
    known = f"kube-{minor}" in FAMILIES and name.startswith(REAL)
    assert known, (
        f"RACKROLL_CONTRACT is {SIMULATED} or {REAL}1.35 or another minor of `make tools`, not {name!r}"
    )
    return real(folder, minor)


@contextmanager
def real(folder: Path, minor: str) -> Iterator[Target]:
    """Upstream's control plane with four nodes of KWOK's, all Ready."""
    with real_cluster(folder / "plane", minor, webhooks=True) as cluster:
        kubernetes = Kubernetes(cluster.kubeconfig, None, minor)
        cluster.add_nodes(connect(kubernetes), {name: {} for name in NODES})

        def restart() -> None:
            cluster.plane.kill(API)
            cluster.plane.restart(API)

        found = Target(cluster.kubeconfig, simulated=False, restart=restart)
        eventually(lambda: _ready(Api(found)), 60)
        yield found


def _ready(api: Api) -> bool:
    nodes = api.get("/api/v1/nodes")["items"]
    rows = [row for node in nodes for row in node["status"].get("conditions") or () if row["type"] == "Ready"]
    return [row["status"] for row in rows] == ["True"] * len(NODES)


@dataclass(slots=True)
class _Served:
    """Our API on a thread of its own: what that thread tells the test's."""

    folder: Path
    started: threading.Event = field(default_factory=threading.Event)
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    loop: asyncio.AbstractEventLoop | None = None
    cluster: Cluster | None = None

    async def run(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.cluster = assemble(Store(), _SIMULATED_VERSION, self.folder / "api")
        port = await self.cluster.start()
        version = str(version_info(_SIMULATED_VERSION)["gitVersion"])
        kubelet = SimulatedKubelet(self.cluster.store, NODES, version, delay=0.05)
        kubelet.start(self.cluster.loop)
        write_kubeconfig(self.folder / "kubeconfig", self.folder / "api", port, "contract")
        self.started.set()
        await self.stop.wait()
        await self.cluster.stop()

    def restart(self) -> None:
        assert self.loop is not None
        asyncio.run_coroutine_threadsafe(self._again(), self.loop).result(20)

    async def _again(self) -> None:
        assert self.cluster is not None
        port = self.cluster.server.port
        await self.cluster.server.stop()
        await self.cluster.server.start(port)

    def end(self) -> None:
        assert self.loop is not None
        self.loop.call_soon_threadsafe(self.stop.set)


@contextmanager
def simulated(folder: Path) -> Iterator[Target]:
    """Our API with four simulated nodes."""
    served = _Served(folder)
    thread = threading.Thread(target=lambda: asyncio.run(served.run()), daemon=True)
    thread.start()
    assert served.started.wait(10), "the simulated API did not start"
    try:
        yield Target(folder / "kubeconfig", simulated=True, restart=served.restart)
    finally:
        served.end()
        thread.join(10)
