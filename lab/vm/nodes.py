"""The daemon's side of agents that live in virtual machines: an API that they can reach, and the way to their pods."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from lab.control.certificates import Certificates
from lab.forward import Route
from lab.kube.cluster import Cluster
from lab.kube.errors import ApiError
from lab.kube.objects import Obj, name_of, namespace_of
from lab.kube.runtimes import Runtime
from lab.node.execute import Outcome
from lab.real.endpoint import PORT
from lab.real.sockets import listen
from lab.state import oob_namespace
from lab.topology import API_PORT, OOB_BRIDGE, Topology
from lab.vm.state import vm_folder
from rollout.model.site import Node, Site

_STDOUT, _STDERR, _STATUS = 1, 2, 3
_WITHIN = aiohttp.ClientTimeout(total=120)
"""Seconds for one command in an emulated machine; drains are not waited for in an exec."""


def routes(site: Site, topology: Topology) -> tuple[Route, ...]:
    """From each node's own loopback address to its kubelet's endpoint."""
    hosts = ((node, topology.host(node.name)) for node in site.nodes)
    return tuple(Route(node.ssh.address, PORT, str(host.oob_address), PORT) for node, host in hosts)


def certificates(folder: Path) -> Certificates:
    """Of the lab's kubelets, and of the one client that may ask them: the daemon."""
    return Certificates(vm_folder(folder) / "certificates", ())


@dataclass(frozen=True, slots=True)
class RemoteNodes:
    cluster: Cluster
    names: tuple[str, ...]
    session: aiohttp.ClientSession

    async def stop(self) -> None:
        for name in self.names:
            self.cluster.store.runtimes.remove(name)
        await self.session.close()


async def start(cluster: Cluster, site: Site, folder: Path) -> RemoteNodes:
    """Returns when the API listens out of band; the machines' agents come by themselves."""
    out_of_band = listen(oob_namespace(site.name), str(OOB_BRIDGE.ip), API_PORT)
    await cluster.server.listen_too(out_of_band)
    session = aiohttp.ClientSession(timeout=_WITHIN, connector=aiohttp.TCPConnector(ssl=_tls(folder)))
    for node in site.nodes:
        door = Door(session, node)
        cluster.store.runtimes.register(node.name, Runtime(door.execute, door.logs))
    return RemoteNodes(cluster, tuple(node.name for node in site.nodes), session)


def _tls(folder: Path) -> ssl.SSLContext:
    known = certificates(folder)
    own = known.pair("kubelet-client")
    context = ssl.create_default_context(cafile=str(known.authority.certificate))
    context.load_cert_chain(own.certificate, own.key)
    return context


@dataclass(frozen=True, slots=True)
class Door:
    """One machine's kubelet, over the WebSocket that an API server speaks with it."""

    session: aiohttp.ClientSession
    node: Node

    async def execute(self, pod: Obj, container: str, argv: tuple[str, ...]) -> Outcome:
        url = self._url("exec", pod, container)
        said: dict[int, bytes] = {}
        try:
            query = [("command", word) for word in argv]
            async with self.session.ws_connect(url, params=query, protocols=["v5.channel.k8s.io"]) as socket:
                async for message in socket:
                    if message.type is aiohttp.WSMsgType.BINARY:
                        said[message.data[0]] = said.get(message.data[0], b"") + message.data[1:]
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise self._silent(error) from None
        return read_status(said.get(_STATUS, b"")), said.get(_STDOUT, b""), said.get(_STDERR, b"")

    async def logs(self, pod: Obj, container: str) -> bytes:
        try:
            async with self.session.get(self._url("containerLogs", pod, container)) as answer:
                return await answer.read() if answer.status == 200 else b""
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise self._silent(error) from None

    def _url(self, verb: str, pod: Obj, container: str) -> str:
        return f"https://{self.node.ssh.address}:{PORT}/{verb}/{namespace_of(pod)}/{name_of(pod)}/{container}"

    def _silent(self, error: Exception) -> ApiError:
        return ApiError(
            f"the kubelet of node {self.node.name} does not answer: {error or type(error).__name__}"
        )


def read_status(raw: bytes) -> int:
    """The exit code in a channel's last word; 1 where the connection ended without one."""
    try:
        status = json.loads(raw)
    except ValueError:
        return 1
    return 0 if status.get("status") == "Success" else next(_codes(status), 1)


def _codes(status: Obj) -> Iterator[int]:
    for cause in (status.get("details") or {}).get("causes") or ():
        if cause.get("reason") == "ExitCode":
            yield int(cause["message"])
