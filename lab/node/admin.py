"""Envoy's admin interface over its Unix socket: one request per connection, no forks, no namespaces.

A pathname socket is found through the node's file system, so the daemon reaches it from outside the
node's network namespace..
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

from lab.pace import paced


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes


async def ask(socket: Path, method: str, target: str, *, within: float = paced(1.0)) -> Answer | None:
    """Envoy's answer, or None when nobody answers ``within`` seconds."""
    try:
        async with asyncio.timeout(within):
            return await _exchange(socket, method, target)
    except (OSError, TimeoutError, ValueError, asyncio.IncompleteReadError):
        return None


async def _exchange(socket: Path, method: str, target: str) -> Answer:
    reader, writer = await asyncio.open_unix_connection(str(socket))
    try:
        head = f"{method} {target} HTTP/1.1\r\nHost: admin\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
        writer.write(head.encode())
        return parse(await reader.read(-1))
    finally:
        writer.close()


def parse(raw: bytes) -> Answer:
    """A whole HTTP/1.1 response; raises ValueError when it is not one."""
    head, found, body = raw.partition(b"\r\n\r\n")
    if not found or not head.startswith(b"HTTP/1.1 "):
        raise ValueError("not an HTTP/1.1 response")
    chunked = b"transfer-encoding: chunked" in head.lower()
    return Answer(int(head.split(b" ", 2)[1]), _dechunk(body) if chunked else body)


def _dechunk(body: bytes) -> bytes:
    whole = b""
    while body:
        size, _, rest = body.partition(b"\r\n")
        length = int(size, 16)
        whole, body = whole + rest[:length], rest[length + 2 :]
        if length == 0:
            break
    return whole
