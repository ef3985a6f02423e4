"""The listening server: TLS on loopback, a bearer token, every failure a Status object."""

from __future__ import annotations

import logging
import socket
import ssl

from aiohttp import web

from lab.kube.access import Access
from lab.kube.api.bodies import failure
from lab.kube.api.routes import Routes
from lab.kube.errors import ApiError

_log = logging.getLogger("lab.kube.api")
_BIGGEST_BODY = 16 * 1024 * 1024


class Server:
    """Serves ``routes`` on 127.0.0.1. Port 0 takes a free one; :attr:`port` tells which."""

    def __init__(self, routes: Routes, access: Access, tls: ssl.SSLContext) -> None:
        self._routes = routes
        self._access = access
        self._tls = tls
        self._runner: web.AppRunner | None = None
        self.port = 0

    async def start(self, port: int = 0) -> None:
        """Raises OSError when the port is taken."""
        app = web.Application(client_max_size=_BIGGEST_BODY)
        app.router.add_route("*", "/{path:.*}", self._handle)
        runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=0.5)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", port, ssl_context=self._tls)
        await site.start()
        self.port = runner.addresses[0][1]
        self._runner = runner

    async def listen_too(self, sock: socket.socket) -> None:
        """Serve on another listening socket as well, after :meth:`start`."""
        assert self._runner is not None
        await web.SockSite(self._runner, sock, ssl_context=self._tls).start()

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        try:
            user = self._access.user(request.headers.get("Authorization", ""))
            response = await self._routes.answer(request, user)
        except ApiError as error:
            response = failure(error)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            # A malformed object deep inside a handler. The real API would have refused it by schema.
            _log.exception("could not handle %s %s", request.method, request.path_qs)
            response = failure(ApiError(f"simulated API: {type(error).__name__}: {error}"))
        _log.info("%s %s %s", request.method, request.path_qs, response.status)
        return response
