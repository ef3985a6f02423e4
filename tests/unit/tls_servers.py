"""Servers on loopback that speak TLS 1.3 and want the client's certificate, well behaved and otherwise."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread

from cryptography import x509

from pki.bundle import to_pem

HOST = "127.0.0.1"
Manner = Callable[[socket.socket, ssl.SSLContext, Event], None]


def waits(plain: socket.socket, context: ssl.SSLContext, over: Event) -> None:
    """As a server does whose client speaks first."""
    del over
    with context.wrap_socket(plain, server_side=True) as tls:
        tls.recv(1)


def speaks(plain: socket.socket, context: ssl.SSLContext, over: Event) -> None:
    """As HTTP/2 does: its settings come before anybody asks."""
    with context.wrap_socket(plain, server_side=True) as tls:
        tls.sendall(b"\0" * 9)
        over.wait()


def hangs_up(plain: socket.socket, context: ssl.SSLContext, over: Event) -> None:
    del over
    with context.wrap_socket(plain, server_side=True) as tls:
        tls.unwrap()


def is_silent(plain: socket.socket, context: ssl.SSLContext, over: Event) -> None:
    """Takes the connection and says nothing."""
    del context
    over.wait()
    plain.close()


def hangs(plain: socket.socket, context: ssl.SSLContext, over: Event) -> None:
    """Sends its own half of the handshake and never looks at the client's certificate: stuck, or merely slow."""
    into, out = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(into, out, server_side=True)
    into.write(plain.recv(16_384))
    with suppress(ssl.SSLWantReadError):
        tls.do_handshake()
    plain.sendall(out.read())
    over.wait()
    plain.close()


def dawdles(plain: socket.socket, context: ssl.SSLContext, over: Event) -> None:
    """Slow to say hello, and three times as slow to judge the client's certificate; but it does."""
    into, out = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(into, out, server_side=True)
    for pause in (0.3, 0.9):
        into.write(plain.recv(16_384))
        over.wait(pause)
        try:
            tls.do_handshake()
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError:
            plain.sendall(out.read())
            plain.close()
            return
        plain.sendall(out.read())
    over.wait()
    plain.close()


def denies(plain: socket.socket, context: ssl.SSLContext, over: Event) -> None:
    """Answers every client with an alert that has nothing to do with who signed its certificate."""
    del context, over
    plain.recv(16_384)
    plain.sendall(bytes([21, 3, 3, 0, 2, 2, 80]))
    plain.close()


def server_context(leaf: tuple[str, bytes], trusts: list[x509.Certificate], folder: Path) -> ssl.SSLContext:
    """``leaf`` is chain and key as a key store gives them; without ``trusts`` nobody is asked for a certificate."""
    file = folder / "served.pem"
    file.write_bytes(leaf[0].encode() + leaf[1])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_cert_chain(file)
    if trusts:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cadata=to_pem(trusts))
    return context


@contextmanager
def serving(context: ssl.SSLContext, manner: Manner = waits) -> Iterator[int]:
    """The port that it listens on."""
    over = Event()
    with socket.create_server((HOST, 0)) as listener:
        listener.settimeout(0.05)

        def serve() -> None:
            while not over.is_set():
                with suppress(TimeoutError):
                    plain, _ = listener.accept()
                    plain.settimeout(30)
                    Thread(target=_one, args=(manner, plain, context, over), daemon=True).start()

        thread = Thread(target=serve)
        thread.start()
        try:
            yield int(listener.getsockname()[1])
        finally:
            over.set()
            thread.join()


def _one(manner: Manner, plain: socket.socket, context: ssl.SSLContext, over: Event) -> None:
    with suppress(OSError):
        manner(plain, context, over)


def closed_port() -> int:
    """One that was free a moment ago."""
    with socket.create_server((HOST, 0)) as listener:
        return int(listener.getsockname()[1])
