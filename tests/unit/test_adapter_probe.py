"""The outside probe: what it counts, and that the way to the outside host is strict."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from rollout.adapters import probe_script
from rollout.adapters.probe import _COMMAND, OutsideProbe, OverSsh
from rollout.engine.ports import Probe
from rollout.errors import StepFailed, Unreachable
from rollout.model.mesh import Gateway
from rollout.model.site import ProbePoint, SshAccess
from rollout.site.load import load_site
from tests.unit.sshd import SshServer, ssh_server


@dataclass
class Answers:
    """What the fake gateway says, and what it was asked."""

    status: int = 200
    wait: float = 0.0
    hosts: list[str] | None = None
    ports: set[int] | None = None


@contextmanager
def gateway_answering(answers: Answers) -> Iterator[int]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if answers.hosts is not None:
                answers.hosts.append(f"{self.headers['Host']}{self.path}")
            if answers.ports is not None:
                answers.ports.add(self.client_address[1])
            time.sleep(answers.wait)
            self.send_response(answers.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            del format, args

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def gateway(port: int) -> Gateway:
    return Gateway("istio-ingress", "istio-ingress", "istio", "gateways", ip_address("127.0.0.1"), port)


HERE = ProbePoint("here", None, "/shop", "shop.example")
LAB = Path(__file__).resolve().parents[2] / "inventory" / "lab"


def outside_probe(point: ProbePoint) -> OutsideProbe:
    return OutsideProbe(replace(load_site(LAB), probe=point))


def asked(port: int, **changes: Any) -> dict[str, Any]:
    plain = {
        "host": "127.0.0.1",
        "port": port,
        "path": "/",
        "host_header": "x",
        "samples": 4,
        "timeout": 2.0,
        "budget": 5.0,
    }
    return {**plain, **changes}


def test_every_sample_is_a_connection_of_its_own_for_the_sites_host_and_path() -> None:
    answers = Answers(hosts=[], ports=set())
    with gateway_answering(answers) as port:
        probe: Probe = outside_probe(HERE)
        result = probe.fetch(gateway(port), 12)
    assert (result.tried, result.ok, result.detail) == (12, 12, "")
    assert answers.hosts == ["shop.example/shop"] * 12
    assert answers.ports is not None
    assert len(answers.ports) == 12


def test_an_error_from_the_gateway_is_a_lost_request() -> None:
    with gateway_answering(Answers(status=503)) as port:
        result = outside_probe(HERE).fetch(gateway(port), 3)
    assert (result.tried, result.ok, result.detail) == (3, 0, "3 x HTTP 503")


def test_a_refused_connection_is_lost_and_says_so() -> None:
    with gateway_answering(Answers()) as port:
        pass
    result = outside_probe(HERE).fetch(gateway(port), 3)
    assert (result.tried, result.ok, result.detail) == (3, 0, "3 x Connection refused")


def test_a_slow_answer_is_lost_after_the_samples_timeout() -> None:
    with gateway_answering(Answers(wait=0.5)) as port:
        result = probe_script.fetch(asked(port, timeout=0.1, samples=2))
    assert (result["ok"], result["failures"]) == (0, {"timeout": 2})


def test_no_sample_starts_after_the_budget_and_untried_ones_are_not_counted() -> None:
    with gateway_answering(Answers(wait=0.15)) as port:
        result = probe_script.fetch(asked(port, budget=0.1, samples=32))
    assert result["tried"] == result["ok"] == probe_script.AT_ONCE


def test_no_samples_ask_nothing() -> None:
    assert outside_probe(HERE).fetch(gateway(1), 0).tried == 0


def test_the_script_that_is_sent_away_is_the_one_that_runs_here() -> None:
    source = Path(probe_script.__file__).read_text(encoding="utf-8")
    with gateway_answering(Answers()) as port:
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", source],
            input=json.dumps(asked(port)),
            capture_output=True,
            text=True,
            check=True,
        )
    assert json.loads(done.stdout) == {"tried": 4, "ok": 4, "failures": {}}


@pytest.fixture
def outside(tmp_path: Path) -> Iterator[tuple[SshServer, SshAccess]]:
    with ssh_server(tmp_path) as server:
        yield server, server.access


def test_over_ssh_the_outside_host_asks_and_one_connection_serves_all_fetches(
    outside: tuple[SshServer, SshAccess],
) -> None:
    server, access = outside
    probe = outside_probe(replace(HERE, ssh=access))
    with gateway_answering(Answers()) as port:
        results = [probe.fetch(gateway(port), 5) for _ in range(3)]
    assert [(r.tried, r.ok) for r in results] == [(5, 5)] * 3
    assert server.connections == 1


def test_no_word_of_the_site_reaches_the_outside_hosts_shell(
    outside: tuple[SshServer, SshAccess], tmp_path: Path
) -> None:
    server, access = outside
    trap = tmp_path / "trap"
    point = ProbePoint("outside", access, f"/'; touch {trap}; '", f"$(touch {trap})")
    with gateway_answering(Answers()) as port:
        outside_probe(point).fetch(gateway(port), 1)
    assert server.commands == [_COMMAND]
    assert not trap.exists()


def test_a_connection_that_died_between_two_fetches_is_made_anew(
    outside: tuple[SshServer, SshAccess],
) -> None:
    server, access = outside
    probe = outside_probe(replace(HERE, ssh=access))
    with gateway_answering(Answers()) as port:
        probe.fetch(gateway(port), 1)
        server.drop_connections()
        assert probe.fetch(gateway(port), 1).ok == 1
    assert server.connections == 2


def test_a_host_whose_key_is_not_known_is_refused(outside: tuple[SshServer, SshAccess]) -> None:
    _, access = outside
    access.known_hosts.write_text("")
    with pytest.raises(Unreachable, match="not found in known_hosts") as caught:
        OverSsh("client", access).run(asked(1))
    assert "known_hosts" in caught.value.hint


def test_a_host_that_changed_its_key_is_refused(outside: tuple[SshServer, SshAccess]) -> None:
    server, access = outside
    access.known_hosts.write_text(server.known_hosts_line(server.other_key))
    with pytest.raises(Unreachable, match="does not match"):
        OverSsh("client", access).run(asked(1))


def test_a_missing_known_hosts_file_is_unreachable_not_trusting(
    outside: tuple[SshServer, SshAccess],
) -> None:
    _, access = outside
    access.known_hosts.unlink()
    with pytest.raises(Unreachable, match="no known_hosts file"):
        OverSsh("client", access).run(asked(1))


def test_nobody_listening_is_unreachable_with_the_address(outside: tuple[SshServer, SshAccess]) -> None:
    server, access = outside
    server.close()
    with pytest.raises(Unreachable) as caught:
        OverSsh("client", access).run(asked(1))
    assert f"{access.address}:{access.port}" in caught.value.where


def test_an_outside_host_without_python_fails_with_its_words(
    outside: tuple[SshServer, SshAccess],
) -> None:
    server, access = outside
    server.instead = "echo python3: not found >&2; exit 127"
    with pytest.raises(StepFailed, match="code 127: python3: not found"):
        OverSsh("client", access).run(asked(1))
