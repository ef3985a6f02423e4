"""What one meshed process holds at a moment: its leaf, the roots it trusts, and the TLS contexts made of them.

Keys stay in memory: OpenSSL is handed them through an anonymous file that no other process can open by name.
"""

from __future__ import annotations

import contextlib
import json
import os
import ssl
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from lab.mesh.certificates import Certificate, fingerprint, fingerprints, to_pem


@dataclass(frozen=True, slots=True, repr=False)
class Credentials:
    """``chain`` begins with the leaf."""

    chain: tuple[Certificate, ...]
    key_pem: str
    anchors: tuple[Certificate, ...]

    @property
    def leaf(self) -> Certificate:
        return self.chain[0]

    def __repr__(self) -> str:
        return f"Credentials({fingerprint(self.leaf)[:12]}, {len(self.anchors)} anchors)"


@dataclass(frozen=True, slots=True)
class Contexts:
    """For handshakes from now on; those under way keep the ones that they began with."""

    server: ssl.SSLContext
    client: ssl.SSLContext


def contexts(credentials: Credentials, alpn: Sequence[str]) -> Contexts:
    """TLS 1.3 only, a certificate from both ends, no resumption."""
    found = []
    for protocol in (ssl.PROTOCOL_TLS_SERVER, ssl.PROTOCOL_TLS_CLIENT):
        context = ssl.SSLContext(protocol)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.check_hostname = False
        context.verify_mode = ssl.CERT_REQUIRED
        if alpn:
            context.set_alpn_protocols(list(alpn))
        if credentials.anchors:
            context.load_verify_locations(cadata=to_pem(credentials.anchors))
        with handed_over(to_pem(credentials.chain) + credentials.key_pem) as file:
            context.load_cert_chain(file)
        found.append(context)
    found[0].num_tickets = 0
    return Contexts(*found)


@contextlib.contextmanager
def handed_over(text: str) -> Iterator[str]:
    """A path that this process alone can open, for a library that takes keys from files only."""
    handle = os.memfd_create("key", os.MFD_CLOEXEC)
    try:
        os.write(handle, text.encode())
        yield f"/proc/self/fd/{handle}"
    finally:
        os.close(handle)


class Trust:
    """The current credentials, shared by threads. ``told`` is a file that says, without keys, what they are.

    ``dropped`` is the drill's fault: fingerprints of anchors that this one verifier is made to forget.
    """

    def __init__(self, alpn: Sequence[str], told: Path) -> None:
        self._alpn = tuple(alpn)
        self._told = told
        self._lock = threading.Lock()
        self._credentials: Credentials | None = None
        self._contexts: Contexts | None = None
        self._dropped: frozenset[str] = frozenset()

    @property
    def credentials(self) -> Credentials | None:
        return self._credentials

    @property
    def contexts(self) -> Contexts | None:
        """None before the first leaf."""
        return self._contexts

    @property
    def usable(self) -> bool:
        held = self._credentials
        return held is not None and held.leaf.not_valid_after_utc > datetime.now(UTC)

    def install(self, credentials: Credentials) -> None:
        with self._lock:
            self._take(credentials)

    def trusting(self, anchors: tuple[Certificate, ...]) -> None:
        """Other anchors, the same leaf; nothing before the first leaf."""
        with self._lock:
            held = self._credentials
            if held is not None and held.anchors != anchors:
                self._take(replace(held, anchors=anchors))

    def drop(self, dropped: frozenset[str]) -> None:
        with self._lock:
            if dropped != self._dropped:
                self._dropped = dropped
                if self._credentials is not None:
                    self._take(self._credentials)

    def _take(self, credentials: Credentials) -> None:
        left = tuple(one for one in credentials.anchors if fingerprint(one) not in self._dropped)
        self._contexts = contexts(replace(credentials, anchors=left), self._alpn)
        self._credentials = credentials
        draft = self._told.with_suffix(".draft")
        draft.write_text(json.dumps(_public(credentials, left)))
        draft.replace(self._told)


def _public(credentials: Credentials, anchors: tuple[Certificate, ...]) -> dict[str, object]:
    leaf = credentials.leaf
    return {
        "leaf": fingerprint(leaf),
        "chain": [fingerprint(one) for one in credentials.chain[1:]],
        "notBefore": leaf.not_valid_before_utc.timestamp(),
        "notAfter": leaf.not_valid_after_utc.timestamp(),
        "roots": sorted(fingerprints(anchors)),
    }
