"""Fresh mutual TLS handshakes between the proxies of a fleet, all the time, and what came of each.

Every proxy serves on a loopback port and dials the next one. A handshake is whole when the client has read the byte
that the server sends after it has verified the client: with TLS 1.3 a client cannot know of a refusal earlier.
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from lab.control.flags import LOOPBACK
from lab.signers.fleet import Proxy
from rollout.errors import RackrollError

PAUSE = 0.04  # seconds between two handshakes of a pair: about twenty a second
_WITHIN = 10.0  # seconds for one handshake; longer is a failure
_PATIENCE = 120.0  # seconds
_WHOLE = b"!"

Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Tally:
    """Counted so far, by (client, server). ``why`` are the distinct reasons of failures with their number."""

    whole: Mapping[Pair, int]
    failed: Mapping[Pair, int]
    why: Mapping[str, int]
    seconds: float

    @property
    def handshakes(self) -> int:
        return sum(self.whole.values())

    @property
    def failures(self) -> int:
        return sum(self.failed.values())

    def __str__(self) -> str:
        rate = self.handshakes / self.seconds / max(len(self.whole), 1)
        said = "; ".join(f"{count} × {reason}" for reason, count in self.why.items()) or "none failed"
        return f"{self.handshakes} handshakes, {rate:.0f} a second and pair; {self.failures} failed: {said}"


class Pairs:
    """A ring of them, while the context lasts."""

    def __init__(self, proxies: Sequence[Proxy]) -> None:
        self._servers = [Server(proxy) for proxy in proxies]
        ring = zip(proxies, [*self._servers[1:], self._servers[0]], strict=True)
        self._end = threading.Event()
        self._lock = threading.Lock()
        self._whole: Counter[Pair] = Counter()
        self._failed: Counter[Pair] = Counter()
        self._why: Counter[str] = Counter()
        self._threads = [
            threading.Thread(target=self._dial, args=(proxy, server), daemon=True) for proxy, server in ring
        ]
        self._began = time.monotonic()

    def __enter__(self) -> Pairs:
        for server in self._servers:
            server.start()
        self._began = time.monotonic()
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        for thread in self._threads:
            thread.join()
        for server in self._servers:
            server.stop()

    def tally(self) -> Tally:
        with self._lock:
            seconds = time.monotonic() - self._began
            return Tally(dict(self._whole), dict(self._failed), dict(self._why), seconds)

    @property
    def ports(self) -> Mapping[str, int]:
        """Where each proxy serves, by its account; on loopback."""
        return {server.proxy.workload.account: server.port for server in self._servers}

    def more(self, count: int) -> None:
        """Returns when every pair has tried this many times again. Raises RackrollError when one hangs."""
        goal = {pair: tries + count for pair, tries in self._tries().items()}
        deadline = time.monotonic() + _PATIENCE
        while any(tries < goal[pair] for pair, tries in self._tries().items()):
            if time.monotonic() > deadline:
                raise RackrollError(f"a pair hangs: {self.tally()}", where="lab/signers", hint="read the log")
            time.sleep(PAUSE)

    def _tries(self) -> dict[Pair, int]:
        with self._lock:
            return {pair: self._whole[pair] + self._failed[pair] for pair in self._names()}

    def _names(self) -> list[Pair]:
        names = [server.proxy.workload.account for server in self._servers]
        return list(zip(names, [*names[1:], names[0]], strict=True))

    def _dial(self, proxy: Proxy, server: Server) -> None:
        pair = (proxy.workload.account, server.proxy.workload.account)
        while not self._end.wait(PAUSE):
            reason = shake(proxy, server)
            with self._lock:
                if reason is None:
                    self._whole[pair] += 1
                else:
                    self._failed[pair] += 1
                    self._why[reason] += 1


class Server:
    """One proxy's port. Each connection is served with what the proxy holds when it comes."""

    def __init__(self, proxy: Proxy) -> None:
        self.proxy = proxy
        self._socket = socket.create_server((LOOPBACK, 0))
        self._thread = threading.Thread(target=self._serve, daemon=True)

    @property
    def port(self) -> int:
        return int(self._socket.getsockname()[1])

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """A shutdown wakes accept(2), a close alone does not."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        while True:
            try:
                plain, _ = self._socket.accept()
            except OSError:
                return
            with plain:
                self._greet(plain)

    def _greet(self, plain: socket.socket) -> None:
        """What goes wrong here the client sees, and counts."""
        plain.settimeout(_WITHIN)
        with (
            suppress(OSError),
            self.proxy.held.serving.wrap_socket(plain, server_side=True) as secure,
        ):
            secure.sendall(_WHOLE)


def shake(client: Proxy, server: Server) -> str | None:
    """One fresh handshake; None when it is whole, else why not."""
    try:
        with (
            socket.create_connection((LOOPBACK, server.port), timeout=_WITHIN) as plain,
            client.held.dialling.wrap_socket(plain) as secure,
        ):
            if secure.session_reused:
                return "a session was resumed"
            if secure.recv(1) != _WHOLE:
                return "the server hung up"
            return _wrong(_names_in(secure.getpeercert()), server.proxy.leaf.names)
    except ssl.SSLError as error:
        return f"{type(error).__name__}: {error.reason}: {getattr(error, 'verify_message', '')}".rstrip(": ")
    except OSError as error:
        return type(error).__name__


def _wrong(seen: tuple[str, ...], wanted: tuple[str, ...]) -> str | None:
    return None if seen == wanted else f"the server showed {seen}, not {wanted}"


def _names_in(certificate: Any) -> tuple[str, ...]:
    """As :attr:`Leaf.names`, from what Python's ssl says of the peer."""
    names = (certificate or {}).get("subjectAltName", ())
    uris = tuple(value for kind, value in names if kind == "URI")
    return (*uris, *(value for kind, value in names if kind == "DNS"))
