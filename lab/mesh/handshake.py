"""One mutual TLS 1.3 handshake, from either end, and what came of it.

In TLS 1.3 a client has finished before the server has looked at its certificate, so both exchange a byte afterwards:
only then does the client know whether it was taken.
"""

from __future__ import annotations

import contextlib
import errno
import socket
import ssl
from dataclasses import dataclass

from lab.mesh.records import Outcome

_BIND_WITHOUT_PORT = 24  # IP_BIND_ADDRESS_NO_PORT: the port is chosen on connect, so one may serve many peers
_ASK, _ANSWER = b"o", b"k"
_IDLE = 30.0
_DRAIN = 0.3
_EXPIRED, _NOT_YET = 10, 9  # X509_V_ERR_CERT_HAS_EXPIRED, X509_V_ERR_CERT_NOT_YET_VALID (OpenSSL x509_vfy.h)
_UNREACHABLE = (errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EINVAL, errno.EADDRNOTAVAIL)


@dataclass(frozen=True, slots=True)
class Target:
    """Whom to dial from where. ``identity`` is the subject alternative name that the server must show."""

    source: str
    address: str
    port: int
    server_name: str
    identity: str


def dial(target: Target, context: ssl.SSLContext, timeout: float) -> Outcome:
    """One fresh connection and handshake; ``timeout`` in seconds is for each of its reads and writes."""
    try:
        with socket.socket() as plain:
            plain.settimeout(timeout)
            plain.setsockopt(socket.IPPROTO_IP, _BIND_WITHOUT_PORT, 1)
            plain.setsockopt(
                socket.IPPROTO_TCP, socket.TCP_NODELAY, 1
            )  # else our byte waits 40 ms for an ACK
            plain.bind((target.source, 0))
            plain.connect((target.address, target.port))
            with context.wrap_socket(plain, server_hostname=target.server_name) as secured:
                if target.identity not in names_of(secured):
                    return Outcome.VERIFY
                secured.sendall(_ASK)
                return Outcome.OK if secured.recv(1) == _ANSWER else Outcome.RESET
    except OSError as error:
        return classify(error)


def names_of(secured: ssl.SSLSocket) -> tuple[str, ...]:
    """The peer's subject alternative names."""
    shown = secured.getpeercert() or {}
    names = shown.get("subjectAltName", ())
    assert isinstance(names, tuple)
    return tuple(str(value) for _, value in names)


def classify(error: OSError) -> Outcome:
    """``REJECTED`` is the peer's alert; a peer that just goes away is ``RESET``."""
    if isinstance(error, ssl.SSLCertVerificationError):
        by_code = {_EXPIRED: Outcome.EXPIRY, _NOT_YET: Outcome.NOT_YET_VALID}
        return by_code.get(error.verify_code, Outcome.VERIFY)
    if isinstance(error, ssl.SSLError):
        return Outcome.REJECTED if "ALERT" in str(error.reason or "") else Outcome.RESET
    if isinstance(error, TimeoutError):
        return Outcome.TIMEOUT
    return Outcome.REFUSED if error.errno in _UNREACHABLE else Outcome.RESET


def answer(plain: socket.socket, context: ssl.SSLContext) -> None:
    """The server's end. A client that says nothing, or breaks off, is let go after a while and harms nobody."""
    plain.settimeout(_IDLE)
    secured = context.wrap_socket(plain, server_side=True, do_handshake_on_connect=False)
    with contextlib.suppress(OSError), secured:
        try:
            secured.do_handshake()
            if secured.recv(1) == _ASK:
                secured.sendall(_ANSWER)
        except ssl.SSLError:
            _let_read(secured)


def _let_read(secured: ssl.SSLSocket) -> None:
    """Closing on unread data would reset the connection, and the alert would be lost on the way."""
    secured.shutdown(socket.SHUT_WR)
    secured.settimeout(_DRAIN)
    while secured.recv(1024):
        pass
