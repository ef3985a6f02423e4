"""Readiness over HTTP, asked from inside the pod's own network namespace."""

from __future__ import annotations

import asyncio
import http.client
import socket
from pathlib import Path

from lab import netns
from lab.kube.objects import Obj, lookup
from rollout.errors import RackrollError


async def ready(pod: Obj, pid: int, address: str) -> bool:
    """Whether every readiness probe of the pod passes. ``pid`` is a process of the pod, as seen from outside."""
    for container in pod["spec"]["containers"]:
        probe = lookup(container, "readinessProbe", "httpGet")
        if probe is None:
            continue
        host, port = probe.get("host") or address, _port(container, probe["port"])
        if not await asyncio.to_thread(_asked, pid, (host, port), probe.get("path") or "/"):
            return False
    return True


def _port(container: Obj, wanted: int | str) -> int:
    if isinstance(wanted, int):
        return wanted
    return int(next(p["containerPort"] for p in container["ports"] if p.get("name") == wanted))


def _asked(pid: int, address: tuple[str, int], path: str) -> bool:
    try:
        sock = netns.within(Path(f"/proc/{pid}/ns/net"), lambda: socket.create_connection(address, 1))
    except (OSError, RackrollError):
        return False
    connection = http.client.HTTPConnection(*address, timeout=1)
    connection.sock = sock
    try:
        connection.request("GET", path)
        return 200 <= connection.getresponse().status < 400
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
