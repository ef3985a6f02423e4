"""A little HTTP between proxies and signers. JSON over HTTP stands in for gRPC and xDS; the TLS under it is real."""

from __future__ import annotations

import json
import logging
import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

_log = logging.getLogger(__name__)
_TIMEOUT = 5.0


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    path: str
    query: Mapping[str, str]
    body: Any


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: Any = None
    headers: Mapping[str, str] | None = None


Handler = Callable[[Request], Answer]


class Web(ThreadingHTTPServer):
    """Serves ``handle`` in a thread per connection; ``context`` is asked for each, so that certificates may change."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(
        self,
        address: tuple[str, int],
        handle: Handler,
        context: Callable[[], ssl.SSLContext] | None = None,
    ) -> None:
        super().__init__(address, _Connection)
        self.handle = handle
        self._context = context

    def start(self) -> None:
        threading.Thread(target=self.serve_forever, name=f"web-{self.server_port}", daemon=True).start()

    def finish_request(self, request: Any, client_address: Any) -> None:
        """In the connection's own thread: a client that says nothing holds nobody up."""
        request.settimeout(30.0)
        if self._context is None:
            super().finish_request(request, client_address)
            return
        with self._context().wrap_socket(request, server_side=True) as secured:
            super().finish_request(secured, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002
        _log.debug("a connection from %s broke off", client_address, exc_info=True)


class _Connection(BaseHTTPRequestHandler):
    server: Web

    def do_GET(self) -> None:
        self._serve()

    def do_PUT(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        try:
            body = json.loads(self.rfile.read(length)) if length else None
        except ValueError:
            self._send(Answer(400, "the body is not JSON"))
            return
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        self._send(self.server.handle(Request(self.command, parts.path, query, body)))

    def _send(self, answer: Answer) -> None:
        text = answer.body if isinstance(answer.body, str) else json.dumps(answer.body)
        payload = b"" if answer.body is None else text.encode()
        self.send_response(answer.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(payload)))
        for name, value in (answer.headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(payload)

    def log_message(self, format: str, *args: Any) -> None:
        """Bodies and paths are nobody's business: some carry keys."""


class Unanswered(Exception):
    """A signer did not answer, or refused; the message says which and why."""


@dataclass(frozen=True, slots=True)
class Secured:
    """How to know a server over TLS."""

    context: ssl.SSLContext
    name: str


def ask(
    address: tuple[str, int],
    method: str,
    path: str,
    body: Any = None,
    *,
    secured: Secured | None = None,
    timeout: float = _TIMEOUT,
) -> Any:
    """The decoded answer, None for an empty one. Raises :class:`Unanswered`."""
    where = f"{address[0]}:{address[1]}{path.partition('?')[0]}"
    try:
        with socket.create_connection(address, timeout) as plain:
            if secured is None:
                return _exchange(plain, address, method, path, body)
            with secured.context.wrap_socket(plain, server_hostname=secured.name) as wrapped:
                return _exchange(wrapped, address, method, path, body)
    except (OSError, HTTPException, ValueError) as error:
        raise Unanswered(f"{where}: {error}") from error


def _exchange(sock: socket.socket, address: tuple[str, int], method: str, path: str, body: Any) -> Any:
    connection = HTTPConnection(*address)
    connection.sock = sock
    data = None if body is None else json.dumps(body)
    connection.request(method, path, body=data, headers={"Connection": "close"})
    response = connection.getresponse()
    payload = response.read()
    if response.status >= 400:
        raise Unanswered(
            f"{address[0]}:{address[1]}: {response.status} {payload.decode(errors='replace')[:300]}"
        )
    return json.loads(payload) if payload else None
