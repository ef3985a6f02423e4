"""``python -m lab.vm.agent``: kubelet, kube-proxy and speaker of the virtual machine that it runs in.

The same agents as the embedded lab's (:mod:`lab.node.agents`), over a mirror of the lab's API. They enter process 1 of
this machine as they would enter a lab host, so nothing in them knows the difference.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
import signal
import sys
from dataclasses import dataclass, replace
from pathlib import Path

from lab.control.certificates import Pair
from lab.kube.resource import EVENTS
from lab.node import agents
from lab.node.bgpstatus import STATUSES
from lab.node.speaker import ADVERTISEMENTS, PEERS, POOLS, PROFILES
from lab.process import reference
from lab.real.endpoint import Endpoint
from lab.real.mirror import FOLLOWED, Mirror
from lab.state import HostState, LabState, Role, lab_folder, share_folder, write_state
from lab.topology import API_PORT, OOB_BRIDGE
from lab.vm.given import GIVEN, SHARE, Given, read_given
from rollout.adapters.kube.api import connect
from rollout.errors import RackrollError
from rollout.model.site import Site
from rollout.site.load import load_site

_log = logging.getLogger("lab.vm.agent")
HOME = Path("/run/rackroll-agent")
_AGAIN = 1.0
_LATER = (POOLS, PEERS, ADVERTISEMENTS, PROFILES, STATUSES)


@dataclass(frozen=True, slots=True)
class Settled:
    site: Site
    given: Given


def settle(home: Path = HOME, share: Path = SHARE) -> Settled:
    """A site folder of this machine's own, new with each start. Raises RackrollError or OSError."""
    given = read_given(share)
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(mode=0o700, parents=True)
    shutil.copy(share / GIVEN / "site.yaml", home / "site.yaml")
    own = share_folder(home, given.node)
    own.parent.mkdir(parents=True)
    own.symlink_to(share)
    write_state(_state(home, given))
    site = load_site(home)
    kubernetes = replace(site.kubernetes, kubeconfig=share / GIVEN / "kubeconfig", context=None)
    return Settled(replace(site, kubernetes=kubernetes), given)


def _state(home: Path, given: Given) -> LabState:
    """Every node of the site, so that the pod network knows its neighbours; only this one is ever entered."""
    init = reference(1)
    hosts = tuple(
        HostState(name, Role.NODE, "", init, address, None, None, SHARE)
        for name, address in given.nodes.items()
    )
    return LabState("vm", home, True, hosts)


async def serve(settled: Settled, stop: asyncio.Event) -> None:
    site, node = settled.site, settled.given.node
    await _listening()
    mirror = Mirror(connect(site.kubernetes))
    await mirror.follow((*FOLLOWED, EVENTS))
    mirror.follow_later(_LATER)
    endpoint = _endpoint(mirror, node)
    await endpoint.start(None, settled.given.nodes[node])
    running = await agents.start(mirror, site, HOME, only=node)
    _log.info("serving %s", node)
    try:
        await stop.wait()
    finally:
        await running.stop()
        await endpoint.stop()
        mirror.close()


async def _listening() -> None:
    """A machine boots before the API is there; asking in vain by eleven watches would keep its processor busy."""
    while True:
        try:
            _, writer = await asyncio.open_connection(str(OOB_BRIDGE.ip), API_PORT)
        except OSError:
            await asyncio.sleep(_AGAIN)
            continue
        writer.close()
        return


def _endpoint(mirror: Mirror, node: str) -> Endpoint:
    folder = SHARE / GIVEN
    return Endpoint(
        mirror, node, Pair(folder / "kubelet.crt", folder / "kubelet.key"), str(folder / "ca.crt")
    )


async def _until_stopped(settled: Settled) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await serve(settled, stop)


def main() -> int:
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(levelname)s %(name)s %(message)s")
    logging.getLogger("urllib3").setLevel(logging.ERROR)
    try:
        settled = settle()
        (lab_folder(HOME) / "logs").mkdir()
        asyncio.run(_until_stopped(settled))
    except (RackrollError, OSError) as error:
        print(f"rackroll: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
