"""Prometheus over real HTTP: what counts as an answer, and that everything else is none."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from rollout.adapters import metrics
from rollout.adapters.metrics import Prometheus
from rollout.errors import Unreachable
from rollout.model.policy import AlertSource

FIRING = {"alertname": "EtcdDown", "severity": "critical"}


@dataclass
class Server:
    url: str = ""
    code: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    asked: list[tuple[str, str | None]] = field(default_factory=list)

    def says(self, body: Any, code: int = 200) -> None:
        self.body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.code = code


@pytest.fixture
def server() -> Iterator[Server]:
    found = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found.asked.append((self.path, self.headers.get("Authorization")))
            self.send_response(found.code)
            for name, value in found.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(found.body)))
            self.end_headers()
            self.wfile.write(found.body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True).start()
        found.url = f"http://127.0.0.1:{http.server_port}/prometheus"
        yield found
        http.shutdown()


def vector(*metrics: dict[str, str], **more: Any) -> dict[str, Any]:
    rows = [{"metric": labels, "value": [1795412048.0, "1"]} for labels in metrics]
    return {"status": "success", "data": {"resultType": "vector", "result": rows}, **more}


def asked(server: Server, **changes: Any) -> tuple[Any, ...]:
    return Prometheus().series(replace(AlertSource(server.url), **changes))


def test_the_labels_of_every_series_come_back(server: Server) -> None:
    server.says(vector(FIRING, {"alertname": "Other"}))
    assert asked(server) == (FIRING, {"alertname": "Other"})
    assert server.asked == [("/prometheus/api/v1/query?query=ALERTS%7Balertstate%3D%22firing%22%7D", None)]


def test_an_empty_vector_is_an_answer(server: Server) -> None:
    server.says(vector())
    assert asked(server) == ()


def test_a_token_is_read_again_for_each_query_and_goes_nowhere_else(server: Server, tmp_path: Path) -> None:
    token = tmp_path / "token"
    server.says(vector())
    for text in ("one\n", "two\n"):
        token.write_text(text)
        asked(server, bearer_file=str(token))
    assert [sent for _, sent in server.asked] == ["Bearer one", "Bearer two"]
    server.code, server.headers = 302, {"Location": server.url + "/elsewhere"}
    with pytest.raises(Unreachable, match="HTTP 302"):
        asked(server, bearer_file=str(token))
    assert len(server.asked) == 3, "the redirect was not followed"


@pytest.mark.parametrize(
    ("body", "code", "words"),
    [
        (b"<html>login</html>", 200, "no JSON"),
        (b"", 200, "no JSON"),
        (b"[" * 100_000, 200, "no JSON"),
        ({"status": "error", "error": "bad query"}, 400, "HTTP 400: bad query"),
        ({"status": "error", "error": "bad query"}, 200, "bad query"),
        (vector(), 503, "HTTP 503"),
        ({"status": "success"}, 200, "no instant vector"),
        ({"status": "success", "data": {"resultType": "matrix", "result": []}}, 200, "no instant vector"),
        ({"status": "success", "data": {"resultType": "vector", "result": [1]}}, 200, "no instant vector"),
        ({"status": "success", "data": {"resultType": "vector", "result": [{}]}}, 200, "no instant vector"),
        (vector(warnings=["store gateway is away"]), 200, "store gateway is away"),
    ],
)
def test_what_is_no_whole_answer_is_none(server: Server, body: Any, code: int, words: str) -> None:
    server.says(body, code)
    with pytest.raises(Unreachable) as caught:
        asked(server)
    assert words in str(caught.value)
    assert server.url in caught.value.where


def test_an_endless_answer_is_not_read_to_its_end(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "LARGEST", 100)
    server.says(vector(*({"alertname": f"A{n}"} for n in range(100))))
    with pytest.raises(Unreachable, match="more than 100 bytes"):
        asked(server)


def test_nobody_there_and_no_token_are_both_told() -> None:
    with pytest.raises(Unreachable, match="does not answer"):
        Prometheus().series(AlertSource("http://127.0.0.1:9"))
    with pytest.raises(Unreachable, match="token cannot be read"):
        Prometheus().series(AlertSource("http://127.0.0.1:9", bearer_file="/no/such/token"))
