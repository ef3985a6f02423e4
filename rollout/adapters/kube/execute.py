"""Commands inside a pod, by websocket.

The client's own ``stream`` is not used: it swaps the request method of the client it is given (the sampler's
thread uses the same one), turns a refused handshake into an AttributeError, and polls the raw socket, which
misses frames that TLS has already read.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

import websocket
from kubernetes.stream.ws_client import create_websocket

from rollout.adapters.kube.api import FORBIDDEN, RIGHTS, KubeApi, unreachable
from rollout.errors import StepFailed

TIMEOUT = 15.0
"""Seconds of silence after which a command counts as hung."""

_STDOUT, _STDERR, _STATUS = 1, 2, 3  # channels of v4.channel.k8s.io; v5 differs in closing only
_TEXT = (websocket.ABNF.OPCODE_BINARY, websocket.ABNF.OPCODE_TEXT)
_LOST = (websocket.WebSocketException, OSError)


@dataclass(frozen=True, slots=True)
class Container:
    namespace: str
    pod: str
    container: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.pod} ({self.container})"


def run_in_container(api: KubeApi, target: Container, command: Sequence[str]) -> str:
    """The command's output. Raises :class:`StepFailed` with its words unless it exits 0."""
    with _session(api, target, command) as session:
        output, status = _heard(session)
    shown = " ".join(command)
    if not status:
        raise StepFailed(
            f"`{shown}` did not finish within {TIMEOUT:.0f} s or lost its connection",
            where=str(target),
            hint="look at the pod's node; the step may be run again",
        )
    if status.get("status") != "Success":
        words = output.strip() or status.get("message") or "no output"
        raise StepFailed(f"`{shown}` failed: {words}", where=str(target), hint="look at the container's log")
    return output


@contextmanager
def _session(api: KubeApi, target: Container, command: Sequence[str]) -> Iterator[Any]:
    headers: dict[str, str] = {}
    api.client.update_params_for_auth(headers, [], ["BearerToken"])
    lowered = {name.lower(): value for name, value in headers.items()}
    try:
        session = create_websocket(api.client.configuration, _url(api, target, command), lowered)
    except websocket.WebSocketBadStatusException as error:
        raise _refused(error, target, api.where) from None
    except _LOST as error:
        raise unreachable(api.where, error) from None
    try:
        session.settimeout(TIMEOUT)
        yield session
    finally:
        session.shutdown()


def _url(api: KubeApi, target: Container, command: Sequence[str]) -> str:
    pod = f"/api/v1/namespaces/{quote(target.namespace)}/pods/{quote(target.pod)}"
    query = [("container", target.container), ("stdout", "true"), ("stderr", "true")]
    query += [("command", word) for word in command]
    host = str(api.client.configuration.host)
    return f"ws{host.removeprefix('http')}{pod}/exec?{urlencode(query)}"


def _heard(session: Any) -> tuple[str, dict[str, Any]]:
    """What the command said, and the ``Status`` that ends it; an empty one if the session broke off before."""
    said = b""
    try:
        while True:
            kind, frame = session.recv_data_frame(True)
            if kind == websocket.ABNF.OPCODE_CLOSE:
                break
            if kind not in _TEXT or not frame.data:
                continue
            channel, data = frame.data[0], frame.data[1:]
            if channel == _STATUS:
                return said.decode(errors="replace"), json.loads(data)
            if channel in (_STDOUT, _STDERR):
                said += data
    except (*_LOST, ValueError):
        pass
    return said.decode(errors="replace"), {}


def _refused(error: websocket.WebSocketBadStatusException, target: Container, where: str) -> StepFailed:
    """From 1.35 on a server that misses the right to create says only that the pod is forbidden."""
    body = error.resp_body or b""
    try:
        words = json.loads(body)["message"]
    except (ValueError, KeyError, TypeError):
        words = body.decode(errors="replace").strip()[:300] or "no reason given"
    text = f"the API refused to run a command in {target}: {words} (HTTP {error.status_code})"
    if error.status_code != FORBIDDEN:
        return StepFailed(text, where=where, hint="check that the pod still runs")
    return StepFailed(f"{text}; it takes the rights to get and to create pods/exec", where=where, hint=RIGHTS)
