"""An HTTP server that answers as a Kubernetes API server would, by script: one list of answers per request line."""

from __future__ import annotations

import json
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import yaml

from rollout.model.site import Kubernetes

TOKEN = "a-token"  # noqa: S105  # of a fake server inside the test


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    query: dict[str, str]
    content_type: str
    body: Any


@dataclass(frozen=True)
class Answer:
    """``body`` as JSON; a list of bodies is a watch stream, one line each, then the end of the stream."""

    body: Any
    code: int = 200


def status(code: int, reason: str, message: str) -> Answer:
    body = {"kind": "Status", "status": "Failure", "code": code, "reason": reason, "message": message}
    return Answer(body, code)


@dataclass
class FakeApi:
    """The last scripted answer of a request line is given again and again; watches have lines of their own."""

    port: int = 0
    asked: list[Asked] = field(default_factory=list)
    script: defaultdict[str, list[Answer]] = field(default_factory=lambda: defaultdict(list))

    def on(self, line: str, *answers: Answer | dict[str, Any] | list[Any]) -> None:
        """``line`` is ``GET /api/v1/nodes``, or ``WATCH /api/v1/nodes`` for the same with ``watch=true``."""
        self.script[line] = [a if isinstance(a, Answer) else Answer(a) for a in answers]

    def answer(self, asked: Asked) -> Answer:
        self.asked.append(asked)
        method = "WATCH" if asked.query.get("watch") else asked.method
        answers = self.script.get(f"{method} {asked.path}")
        if not answers:
            return status(404, "NotFound", f"{asked.path} not found")
        return answers.pop(0) if len(answers) > 1 else answers[0]

    def sent(self, method: str) -> list[Asked]:
        return [asked for asked in self.asked if asked.method == method]

    def kubernetes(self, folder: Path, token: str = TOKEN) -> Kubernetes:
        """A kubeconfig that names this server, as a site names it."""
        path = folder / "kubeconfig"
        named = {"cluster": "fake", "user": "me"}
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "fake",
            "contexts": [{"name": "fake", "context": named}],
            "clusters": [{"name": "fake", "cluster": {"server": f"http://127.0.0.1:{self.port}"}}],
            "users": [{"name": "me", "user": {"token": token}}],
        }
        path.write_text(yaml.safe_dump(document))
        return Kubernetes(path, None, "1.35")


def _handler(api: FakeApi) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _any(self) -> None:
            if self.headers.get("Authorization") != f"Bearer {TOKEN}":
                return self._json(status(401, "Unauthorized", "Unauthorized"))
            split = urlsplit(self.path)
            given = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            answer = api.answer(
                Asked(
                    self.command,
                    split.path,
                    dict(parse_qsl(split.query, keep_blank_values=True)),
                    self.headers.get("Content-Type") or "",
                    json.loads(given) if given else None,
                )
            )
            return self._stream(answer.body) if isinstance(answer.body, list) else self._json(answer)

        do_GET = do_POST = do_PATCH = do_DELETE = _any

        def _json(self, answer: Answer) -> None:
            body = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
            self.send_response(answer.code)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def _stream(self, events: list[Any]) -> None:
            """Cut in the middle of lines on purpose: chunks and lines have nothing to do with each other."""
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            text = b"".join(json.dumps(event, ensure_ascii=False).encode() + b"\n" for event in events)
            for start in range(0, len(text), 37):
                piece = text[start : start + 37]
                self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            self.wfile.write(b"0\r\n\r\n")

        def log_message(self, format: str, *args: Any) -> None:
            del format, args

    return Handler


@contextmanager
def fake_api() -> Iterator[FakeApi]:
    api = FakeApi()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(api))
    server.daemon_threads = True
    api.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield api
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
