"""``pods/exec`` over WebSocket and ``pods/log``, handed to the runtime of the pod's node."""

from __future__ import annotations

import json

from aiohttp import web

from lab.kube.api.request import Target
from lab.kube.errors import ApiError, BadRequest, Conflict, NotFound
from lab.kube.objects import Obj, name_of, spec_of
from lab.kube.resource import PODS
from lab.kube.runtimes import Runtime
from lab.kube.store import Store

_PROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io")
_STDOUT, _STDERR, _ERROR = b"\x01", b"\x02", b"\x03"


async def run(store: Store, request: web.Request, where: Target) -> web.StreamResponse:
    """Run one command to its end and stream what it said. Standard input is read and ignored."""
    pod = store.require(PODS, where.namespace, where.name)
    argv = tuple(request.query.getall("command", []))
    if not argv:
        raise BadRequest("you must specify at least one command for the container")
    container = _container(pod, request.query.get("container", ""))
    runtime = _runtime(store, pod)
    if request.headers.get("Upgrade", "").lower() != "websocket":
        raise BadRequest("exec needs a WebSocket here: SPDY is not spoken")
    return await answer(request, runtime, pod, container)


async def answer(request: web.Request, runtime: Runtime, pod: Obj, container: str) -> web.WebSocketResponse:
    """One command over one WebSocket, as a kubelet serves it."""
    socket = web.WebSocketResponse(protocols=_PROTOCOLS)
    await socket.prepare(request)
    argv = tuple(request.query.getall("command", []))
    await _answer(socket, runtime, pod, container, argv)
    await socket.close()
    return socket


async def _answer(
    socket: web.WebSocketResponse, runtime: Runtime, pod: Obj, container: str, argv: tuple[str, ...]
) -> None:
    try:
        code, out, err = await runtime.exec(pod, container, argv)
    except ApiError as error:
        await socket.send_bytes(_ERROR + json.dumps(error.status()).encode())
        return
    for channel, data in ((_STDOUT, out), (_STDERR, err)):
        if data:
            await socket.send_bytes(channel + data)
    await socket.send_bytes(_ERROR + json.dumps(_exit_status(code)).encode())


def _exit_status(code: int) -> Obj:
    if code == 0:
        return {"metadata": {}, "status": "Success"}
    return {
        "metadata": {},
        "status": "Failure",
        "message": f"command terminated with non-zero exit code: exit status {code}",
        "reason": "NonZeroExitCode",
        "details": {"causes": [{"reason": "ExitCode", "message": str(code)}]},
    }


async def logs(store: Store, request: web.Request, where: Target) -> web.Response:
    """All that was written so far (``follow`` is not simulated), the last ``tailLines`` of it."""
    pod = store.require(PODS, where.namespace, where.name)
    container = _container(pod, request.query.get("container", ""))
    text = await _runtime(store, pod).logs(pod, container)
    tail = request.query.get("tailLines", "")
    if tail.isdigit():
        text = b"".join(text.splitlines(keepends=True)[-int(tail) :]) if int(tail) else b""
    return web.Response(body=text, content_type="text/plain")


def _container(pod: Obj, asked: str) -> str:
    names = [str(c["name"]) for c in spec_of(pod).get("containers") or ()]
    if not asked:
        return names[0]
    if asked not in names:
        raise BadRequest(f"container {asked} is not valid for pod {name_of(pod)}: it has {', '.join(names)}")
    return asked


def _runtime(store: Store, pod: Obj) -> Runtime:
    node = spec_of(pod).get("nodeName")
    if not node:
        raise Conflict(f"pod {name_of(pod)} does not have a host assigned")
    found = store.runtimes.of(node)
    if found is None:
        raise NotFound(f"the kubelet of node {node} does not answer")
    return found
