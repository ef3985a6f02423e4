"""One HTTP/1.1 GET over a socket, strict enough to tell a finished answer from a broken one.

Own code, not an HTTP library: libraries retry a reset kept-alive connection behind the caller's back, and
those silent retries are exactly what the load must count.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Target:
    address: str
    port: int
    host: str
    path: str

    def request(self, *, close: bool) -> bytes:
        connection = "close" if close else "keep-alive"
        return (
            f"GET {self.path} HTTP/1.1\r\nHost: {self.host}\r\nUser-Agent: rackroll-load\r\n"
            f"Connection: {connection}\r\n\r\n"
        ).encode("ascii")


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    gateway: str
    closes: bool


class BrokenAnswer(Exception):
    """The peer closed, reset or sent something that is no HTTP response."""


async def read_answer(reader: asyncio.StreamReader) -> Answer:
    """Read one response with a Content-Length body; raises BrokenAnswer on a truncated one."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as broken:
        raise BrokenAnswer(f"closed after {len(broken.partial)} bytes of header") from broken
    status, headers = _parse_head(head)
    body = headers.get("content-length", "0")
    try:
        await reader.readexactly(int(body))
    except (asyncio.IncompleteReadError, ValueError) as broken:
        raise BrokenAnswer("closed inside the body") from broken
    closes = headers.get("connection", "").lower() == "close"
    return Answer(status=status, gateway=headers.get("x-rackroll-gateway", ""), closes=closes)


def _parse_head(head: bytes) -> tuple[int, dict[str, str]]:
    lines = head.decode("latin-1").split("\r\n")
    try:
        status = int(lines[0].split(" ", 2)[1])
    except (IndexError, ValueError) as broken:
        raise BrokenAnswer(f"not HTTP: {lines[0][:60]!r}") from broken
    pairs = (line.split(":", 1) for line in lines[1:] if ":" in line)
    return status, {name.strip().lower(): value.strip() for name, value in pairs}
