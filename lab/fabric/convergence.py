"""Waiting, bounded, until hosts answer over ssh and the spine has a session with every ToR."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path

from lab.command import run
from lab.forward import Route
from lab.host.enter import command
from lab.host.launch import last_words
from lab.state import LabState, Role, log_folder
from lab.topology import Topology
from rollout.errors import RackrollError

WITHIN = timedelta(seconds=30)


def await_ssh(routes: Sequence[Route], site_folder: Path) -> None:
    """Every forwarded address shows an ssh banner: forwarder, out-of-band network and sshd all work."""
    for route in routes:
        if not _eventually(partial(_has_banner, route)):
            where = f"{route.listen}:{route.port}"
            raise RackrollError("no ssh banner", where=where, hint=last_words(log_folder(site_folder)))


def await_uplinks(state: LabState, topology: Topology) -> None:
    spine = topology.with_role(Role.SPINE)[0].name
    argv = command(state, spine, ["vtysh", "-c", "show bgp ipv4 unicast summary json"])
    wanted = {str(uplink.tor_address) for uplink in topology.uplinks}
    if not _eventually(lambda: wanted <= _established(run(argv))):
        missing = wanted - _established(run(argv))
        message = f"no BGP session with {', '.join(sorted(missing))}"
        raise RackrollError(message, where=spine, hint=last_words(state.host(spine).share / "log"))


def _established(summary: str) -> set[str]:
    peers = json.loads(summary or "{}").get("peers", {})
    return {address for address, peer in peers.items() if peer.get("state") == "Established"}


def _has_banner(route: Route) -> bool:
    try:
        with socket.create_connection((route.listen, route.port), timeout=2) as connection:
            connection.settimeout(2)
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False


def _eventually(holds: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + WITHIN.total_seconds()
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True
