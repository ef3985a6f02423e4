"""The lab's real Kubernetes: ``python -m lab.real.daemon <site folder>``.

One process that starts upstream's control plane in the out-of-band namespace and is kubelet and kube-proxy of every
node. It writes ``.lab/kubeconfig`` and ``.lab/daemon.json``; SIGTERM stops it. What the cluster knows is in etcd,
below ``.lab/real``: a restart finds it again.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import sys
from collections.abc import Coroutine
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lab.control.flags import API, PlaneSpec, Ports
from lab.control.plane import ControlPlane
from lab.daemon import log_to
from lab.kube.credentials import write_atomically
from lab.kube.objects import Obj
from lab.node import agents
from lab.node.execute import runtime
from lab.node.kubelet import Kubelet
from lab.node.ledger import PROCESSES, Ledger
from lab.node.machine import Machine
from lab.node.podlife import Outside
from lab.node.podspec import PodSpec
from lab.node.proxy import KubeProxy
from lab.real.endpoint import Endpoint
from lab.real.injector import CONFIGURATIONS, InjectionWebhooks
from lab.real.mirror import FOLLOWED, Mirror
from lab.real.podrun import Place, ProgramRun, folder_of
from lab.real.programs import is_real, real
from lab.real.volumes import Volumes
from lab.real.wiring import reach
from lab.state import lab_folder, namespace_of, oob_namespace, read_state
from lab.topology import API_PORT, OOB_BRIDGE
from rollout.adapters.kube.api import connect
from rollout.errors import RackrollError
from rollout.model.site import Site
from rollout.site.load import load_site

_log = logging.getLogger("lab.real.daemon")
API_ADDRESS = str(OOB_BRIDGE.ip)
_FLAGS = {API: ("--feature-gates=TranslateStreamCloseWebsocketRequests=false",)}
"""As before Kubernetes 1.30: an exec's WebSocket goes through to the kubelet instead of becoming SPDY on the way."""
_PORTS = Ports(api=API_PORT, etcd=2379, etcd_peer=2380, controllers=10257, scheduler=10259)


@dataclass(frozen=True, slots=True)
class Parts:
    """What every node's agents share."""

    site: Site
    mirror: Mirror
    plane: ControlPlane

    @property
    def api(self) -> tuple[str, int]:
        return API_ADDRESS, API_PORT


def plane_of(site: Site, folder: Path) -> ControlPlane:
    """In the out-of-band namespace, which reaches every node and is reached by every node."""
    spec = PlaneSpec(
        folder=lab_folder(folder) / "real",
        minor=site.kubernetes.version,
        address=API_ADDRESS,
        namespace=oob_namespace(site.name),
        ports=_PORTS,
        flags=_FLAGS,
    )
    return ControlPlane(spec)


async def serve(site: Site, folder: Path, plane: ControlPlane, stop: asyncio.Event) -> None:
    state = lab_folder(folder)
    mirror = Mirror(connect(replace(site.kubernetes, kubeconfig=state / "kubeconfig", context=None)))
    await mirror.follow((*FOLLOWED, CONFIGURATIONS))
    parts = Parts(site, mirror, plane)
    ledger = Ledger(state / PROCESSES)
    ledger.reap()
    machines = agents.machines(site, folder, ledger)
    endpoints = [await _endpoint(parts, machine) for machine in machines]
    loops = {
        f"{name} on {m.name}": loop for m in machines for name, loop in _loops(parts, m, machines).items()
    }
    loops["injection webhooks"] = InjectionWebhooks(mirror, site.name, plane.certificates).run()
    tasks = [asyncio.create_task(agents.guarded(name, loop)) for name, loop in loops.items()]
    started = datetime.now(UTC).isoformat(timespec="seconds")
    write_atomically(
        state / "daemon.json", json.dumps({"pid": os.getpid(), "startedAt": started, "real": True})
    )
    _log.info("serving")
    try:
        await _watched(plane, stop)
    finally:
        (state / "daemon.json").unlink(missing_ok=True)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for endpoint in endpoints:
            await endpoint.stop()
        mirror.close()


async def _watched(plane: ControlPlane, stop: asyncio.Event) -> None:
    """Until told to stop; a program of the control plane that ended by itself is started again, aloud."""
    while not stop.is_set():
        for name in plane.ended():
            _log.error("%s had ended: starting it again", name)
            plane.restart(name)
        try:
            async with asyncio.timeout(1.0):
                await stop.wait()
        except TimeoutError:
            continue


def _loops(parts: Parts, machine: Machine, nodes: list[Machine]) -> dict[str, Coroutine[Any, Any, None]]:
    def programs(pod: Obj, spec: PodSpec, address: str, out: Outside) -> ProgramRun | None:
        if not is_real(pod):
            return None
        volumes = Volumes(parts.mirror, machine, pod, folder_of(spec))
        return ProgramRun(
            replace(spec, real=real(pod)), pod, Place(machine, address, parts.api), volumes, out
        )

    version = f"v{parts.site.kubernetes.version}.0"
    kubelet = Kubelet(
        parts.mirror, machine, version, agents.backend(parts.site), agents.ports(parts.site), programs
    )
    parts.mirror.runtimes.register(machine.name, runtime(kubelet))
    return {
        "network": agents.joined(machine, nodes),
        "kubelet": kubelet.run(),
        "kube-proxy": KubeProxy(parts.mirror, machine).run(),
    }


async def _endpoint(parts: Parts, machine: Machine) -> Endpoint:
    certificates = parts.plane.certificates
    serving = certificates.serving(f"kubelet-{machine.name}", [machine.name], [machine.fabric_address])
    endpoint = Endpoint(parts.mirror, machine.name, serving, str(certificates.authority.certificate))
    await endpoint.start(namespace_of(parts.site.name, machine.name), machine.fabric_address)
    return endpoint


async def _until_stopped(site: Site, folder: Path, plane: ControlPlane) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await serve(site, folder, plane, stop)


def main(where: str) -> int:
    folder = Path(where).absolute()
    try:
        site = load_site(folder)
        log_to(lab_folder(folder) / "logs" / "daemon.jsonl")
        plane = plane_of(site, folder)
        reach(site, read_state(folder))
        plane.start()
    except RackrollError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    try:
        forwarded = int((lab_folder(folder) / "api-port").read_text())
        plane.write_kubeconfig(
            lab_folder(folder) / "kubeconfig",
            plane.certificates.pair("admin"),
            f"https://127.0.0.1:{forwarded}",
        )
        asyncio.run(_until_stopped(site, folder, plane))
    finally:
        plane.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
