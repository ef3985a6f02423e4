"""The kubelets' own HTTPS endpoint, which the API server forwards ``exec`` and ``logs`` to.

WebSocket only, which rackroll and kubectl both speak. By default an API server (1.30 or newer) turns it into SPDY
towards the kubelet; in the lab that feature is off, and SPDY is refused with a sentence.
"""

from __future__ import annotations

import logging
import ssl

from aiohttp import web

from lab.control.certificates import Pair
from lab.kube.api.execution import answer
from lab.kube.objects import Obj, spec_of
from lab.kube.resource import PODS
from lab.real.mirror import Mirror
from lab.real.sockets import listen

_log = logging.getLogger(__name__)
PORT = 10250


class Endpoint:
    """One node's. ``authority`` signs the one client that may come in: the API server."""

    def __init__(self, mirror: Mirror, node: str, serving: Pair, authority: str) -> None:
        self._mirror = mirror
        self._node = node
        self._tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=authority)
        self._tls.verify_mode = ssl.CERT_REQUIRED
        self._tls.load_cert_chain(serving.certificate, serving.key)
        self._runner: web.AppRunner | None = None

    async def start(self, namespace: str | None, address: str) -> None:
        app = web.Application()
        app.router.add_route("*", "/exec/{namespace}/{pod}/{container}", self._execute)
        app.router.add_get("/containerLogs/{namespace}/{pod}/{container}", self._logs)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        await web.SockSite(self._runner, listen(namespace, address, PORT), ssl_context=self._tls).start()

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _execute(self, request: web.Request) -> web.StreamResponse:
        runtime = self._mirror.runtimes.of(self._node)
        pod = self._pod(request)
        if runtime is None or pod is None:
            raise web.HTTPNotFound(text="this pod does not run on this node")
        if request.headers.get("Upgrade", "").lower() != "websocket":
            raise web.HTTPBadRequest(text="the lab's kubelet speaks WebSocket, not SPDY")
        return await answer(request, runtime, pod, request.match_info["container"])

    async def _logs(self, request: web.Request) -> web.StreamResponse:
        runtime = self._mirror.runtimes.of(self._node)
        pod = self._pod(request)
        if runtime is None or pod is None:
            raise web.HTTPNotFound(text="this pod does not run on this node")
        return web.Response(body=await runtime.logs(pod, request.match_info["container"]))

    def _pod(self, request: web.Request) -> Obj | None:
        found = self._mirror.get(PODS, request.match_info["namespace"], request.match_info["pod"])
        return found if found is not None and spec_of(found).get("nodeName") == self._node else None
