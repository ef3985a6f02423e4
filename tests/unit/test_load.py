"""The load is the demo's meter: it must see every loss and call nothing a loss that is not."""

from __future__ import annotations

import contextlib
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from ipaddress import ip_address
from pathlib import Path

import pytest

from lab.load.process import RunningLoad, load_argv
from lab.load.tally import LoadCount
from rollout.errors import StepFailed
from rollout.model.mesh import Gateway
from rollout.model.site import ProbePoint

Reply = Callable[[socket.socket, int], bool]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Rackroll-Gateway: g\r\n\r\nok"
CLOSING = OK.replace(b"200 OK\r\n", b"200 OK\r\nConnection: close\r\n")


@contextlib.contextmanager
def serving(reply: Reply) -> Iterator[int]:
    """A loopback server that hands each request (numbered per connection) to ``reply``; False closes."""
    listener = socket.create_server(("127.0.0.1", 0))

    def session(conn: socket.socket) -> None:
        with conn, contextlib.suppress(OSError):
            for number in range(10_000):
                if not conn.recv(65536) or not reply(conn, number):
                    return

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                conn, _ = listener.accept()
                threading.Thread(target=session, args=(conn,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.close()


def send(conn: socket.socket, data: bytes) -> bool:
    conn.sendall(data)
    return True


def run_load(port: int, *, enough: Callable[[LoadCount], bool], keepalive: int = 2) -> LoadCount:
    gateway = Gateway("g", "g", "istio", "pool", ip_address("127.0.0.1"), port)
    argv = load_argv(gateway, ProbePoint("here", None, "/", "shop.example"), rate=50, keepalive=keepalive)
    with RunningLoad(argv) as load:
        for _ in range(200):
            if enough(load.latest):
                break
            threading.Event().wait(0.05)
        return load.stop()


def test_a_server_that_always_answers_loses_nothing() -> None:
    with serving(lambda conn, _: send(conn, OK)) as port:
        count = run_load(port, enough=lambda c: c.sent > 20 and c.keepalive_sent > 6)
    assert (count.lost, count.keepalive_lost) == (0, 0)
    assert count.sent > 20
    assert count.reconnects == 2


def test_being_told_to_close_is_a_reconnect_and_not_a_loss() -> None:
    with serving(lambda conn, number: send(conn, OK if number < 1 else CLOSING) and number < 1) as port:
        count = run_load(port, enough=lambda c: c.reconnects > 4)
    assert count.keepalive_lost == 0
    assert count.reconnects > 4


def test_a_kept_alive_connection_cut_without_an_answer_is_lost() -> None:
    with serving(lambda conn, number: number == 0 and send(conn, OK)) as port:
        count = run_load(port, enough=lambda c: c.keepalive_lost > 2)
    assert count.keepalive_lost > 2
    assert count.lost == 0


def test_an_error_status_is_lost() -> None:
    bad = OK.replace(b"200 OK", b"503 Service Unavailable")
    with serving(lambda conn, _: send(conn, bad)) as port:
        count = run_load(port, enough=lambda c: c.lost > 3)
    assert dict(count.reasons)["HTTP 503"] > 3


def test_a_truncated_body_is_lost() -> None:
    with serving(lambda conn, _: send(conn, OK[:-1]) and False) as port:
        count = run_load(port, enough=lambda c: c.lost > 3)
    assert dict(count.reasons)["truncated"] > 3


def test_a_refused_connection_is_lost() -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    count = run_load(port, enough=lambda c: c.lost > 3 and c.keepalive_lost > 1)
    assert count.lost == count.sent
    assert count.keepalive_lost > 1


def test_a_load_that_dies_early_is_an_error_and_not_a_zero(tmp_path: Path) -> None:
    script = tmp_path / "dies.py"
    script.write_text("raise SystemExit('boom')")
    with RunningLoad([sys.executable, str(script)]) as load:
        while load.running:
            threading.Event().wait(0.02)
        with pytest.raises(StepFailed, match="boom"):
            load.stop()
