"""Commands in a container, against a WebSocket server that ends them in every way there is."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from rollout.adapters.kube import execute
from rollout.adapters.kube.api import KubeApi, connect
from rollout.adapters.kube.execute import Container, run_in_container
from rollout.errors import StepFailed, Unreachable
from tests.unit.kubeapi import TOKEN, FakeApi

TARGET = Container("edge", "gw-1", "istio-proxy")
COMMAND = ("pilot-agent", "request", "POST", "healthcheck/fail")
SUCCESS = {"metadata": {}, "status": "Success"}
FAILURE = {"status": "Failure", "message": "command terminated with non-zero exit code: exit status 7"}

Act = Callable[[web.WebSocketResponse], Awaitable[None]]


@contextmanager
def exec_server(act: Act, seen: list[web.Request]) -> Iterator[int]:
    """One loop in one thread; ``act`` plays the command."""

    async def handle(request: web.Request) -> web.StreamResponse:
        seen.append(request)
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            return web.json_response({"kind": "Status", "message": "who are you?"}, status=401)
        if "forbidden" in request.path:
            return web.json_response({"kind": "Status", "message": "is forbidden: "}, status=403)
        if "gw-1" not in request.path:
            return web.json_response({"kind": "Status", "message": "pods not found"}, status=404)
        socket = web.WebSocketResponse(protocols=("v5.channel.k8s.io", "v4.channel.k8s.io"))
        await socket.prepare(request)
        await act(socket)
        return socket

    loop = asyncio.new_event_loop()
    app = web.Application()
    app.router.add_get("/{path:.*}", handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    loop.run_until_complete(runner.setup())
    loop.run_until_complete(web.TCPSite(runner, "127.0.0.1", 0).start())
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield runner.addresses[0][1]
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(timeout=5)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def says(*frames: tuple[int, object]) -> Act:
    async def act(socket: web.WebSocketResponse) -> None:
        for channel, data in frames:
            text = data if isinstance(data, bytes) else json.dumps(data).encode()
            await socket.send_bytes(bytes([channel]) + text)
        await socket.close()

    return act


def api(port: int, folder: Path) -> KubeApi:
    return connect(FakeApi(port).kubernetes(folder))


def run(act: Act, folder: Path, target: Container = TARGET) -> tuple[str, list[web.Request]]:
    seen: list[web.Request] = []
    with exec_server(act, seen) as port:
        return run_in_container(api(port, folder), target, COMMAND), seen


def test_the_command_goes_word_by_word_and_its_output_comes_back_whole(tmp_path: Path) -> None:
    output, seen = run(says((1, b"O"), (2, b"K "), (1, "ü".encode()), (3, SUCCESS)), tmp_path)
    assert output == "OK ü"
    assert seen[0].path == "/api/v1/namespaces/edge/pods/gw-1/exec"
    assert seen[0].query.getall("command") == list(COMMAND)
    assert seen[0].query["container"] == "istio-proxy"


def test_a_failed_command_is_told_in_its_own_words(tmp_path: Path) -> None:
    with pytest.raises(StepFailed, match="connection refused") as caught:
        run(says((2, b"dial tcp: connection refused"), (3, FAILURE)), tmp_path)
    assert caught.value.where == "edge/gw-1 (istio-proxy)"


def test_a_failed_command_that_said_nothing_is_told_by_its_exit_code(tmp_path: Path) -> None:
    with pytest.raises(StepFailed, match="exit status 7"):
        run(says((3, FAILURE)), tmp_path)


@pytest.mark.parametrize("frames", [[], [(1, b"half")], [(3, b"no json")]], ids=["closed", "cut", "garbled"])
def test_a_session_that_ends_without_a_verdict_is_a_failed_step(
    tmp_path: Path, frames: list[tuple[int, Any]]
) -> None:
    with pytest.raises(StepFailed, match="lost its connection"):
        run(says(*frames), tmp_path)


def test_a_command_that_hangs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def hang(socket: web.WebSocketResponse) -> None:
        await socket.receive()

    monkeypatch.setattr(execute, "TIMEOUT", 0.2)
    with pytest.raises(StepFailed, match="did not finish"):
        run(hang, tmp_path)


def test_a_pod_that_is_gone_is_refused_with_the_apis_words(tmp_path: Path) -> None:
    with pytest.raises(StepFailed, match=r"pods not found \(HTTP 404\)"):
        run(says(), tmp_path, replace(TARGET, pod="other"))


def test_a_user_that_may_not_is_told_which_right_it_takes(tmp_path: Path) -> None:
    """Kubernetes 1.35 checks a websocket for the right to create too, and does not say so."""
    with pytest.raises(StepFailed, match=r"forbidden.*get and to create pods/exec") as caught:
        run(says(), tmp_path, replace(TARGET, pod="forbidden"))
    assert "runner-rbac.yaml" in caught.value.hint


def test_nobody_there_is_unreachable(tmp_path: Path) -> None:
    with pytest.raises(Unreachable, match="does not answer"):
        run_in_container(api(1, tmp_path), TARGET, COMMAND)
