"""Listening inside a lab host while the server itself runs in the daemon."""

from __future__ import annotations

import socket

from lab import netns

_IP_FREEBIND = 15
"""Linux: bind to an address that is not there yet. A pod's address comes a moment after the pod."""


def listen(namespace: str | None, address: str, port: int) -> socket.socket:
    """In our own namespace for None. Raises OSError when the port is taken there."""

    def make() -> socket.socket:
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setsockopt(socket.SOL_IP, _IP_FREEBIND, 1)
        sock.bind((address, port))
        sock.listen(64)
        return sock

    return make() if namespace is None else netns.within(namespace, make)
