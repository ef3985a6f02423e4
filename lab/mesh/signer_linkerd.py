"""Linkerd's identity controller as a process: CSRs over TLS on 8080, readiness on 9990. SIMULATED.

Its own proxy is part of it: what the proxies dial shows a leaf that was issued at the start and is renewed at 70 %, so
for a while after a change of issuer it still leads to the old anchor.
"""

from __future__ import annotations

import logging
import ssl
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from lab.mesh import linkerd
from lab.mesh.certificates import Refused, bundle, fingerprint, to_pem
from lab.mesh.mounted import LOOK, files_in, read_request, server_context
from lab.mesh.proxies import CONTROLLER, LEAF, LEAF_SECONDS, LINKERD_PORT
from lab.mesh.surroundings import Settings, say
from lab.mesh.web import Answer, Request, Web

_log = logging.getLogger(__name__)
ISSUER = Path("/var/run/linkerd/identity/issuer")
ANCHORS = Path("/var/run/linkerd/identity/trust-roots/ca-bundle.crt")
ADMIN_PORT = 9990
NORMAL, WARNING = "Normal", "Warning"


class Identity:
    """Anchors are read here, once."""

    def __init__(self, given: Settings, anchors_pem: bytes, files: Mapping[str, bytes]) -> None:
        self._given = given
        self._domain = given.environment.get("_l5d_trustdomain") or "cluster.local"
        self._lifetime = timedelta(seconds=given.number(LEAF, LEAF_SECONDS))
        self._anchors = bundle(anchors_pem)
        self._files = files
        self._issuer = linkerd.load_issuer(files, self._anchors, datetime.now(UTC))
        self._told = ("", "")
        self._serve_anew()

    @property
    def context(self) -> ssl.SSLContext:
        return self._context

    def look(self) -> None:
        """Take the issuer that the volume holds now, or keep the old one; an event says which."""
        if datetime.now(UTC) >= self._renewal:
            self._serve_anew()
        files = files_in(ISSUER)
        if files == self._files:
            return
        self._files = files
        try:
            self._issuer = linkerd.load_issuer(files, self._anchors, datetime.now(UTC))
        except Refused as refused:
            text = f"Skipping issuer update as certs could not be read from disk: {refused}"
            _log.warning(text)
            self._tell(WARNING, linkerd.SKIPPED, text)
            return
        _log.info("Updated identity issuer: %s", fingerprint(self._issuer.certificate)[:12])
        self._tell(NORMAL, linkerd.UPDATED, "Updated identity issuer")

    def _serve_anew(self) -> None:
        now = datetime.now(UTC)
        key = ec.generate_private_key(ec.SECP256R1())
        name = linkerd.identity(self._domain, *CONTROLLER)
        chain = linkerd.certify(self._issuer, key.public_key(), name, self._lifetime, now)
        self._context = server_context(chain, key)
        self._renewal = now + linkerd.renewal(chain[0], now)

    def handle(self, request: Request) -> Answer:
        if (request.method, request.path) != ("POST", "/certify"):
            return Answer(HTTPStatus.NOT_FOUND)
        now = datetime.now(UTC)
        fault = linkerd.issuer_fault(self._issuer, self._anchors, now)
        if fault:
            self._tell(WARNING, linkerd.INVALID, fault)
            return Answer(HTTPStatus.SERVICE_UNAVAILABLE, fault)
        try:
            asked, key, name = read_request(request.body)
        except Refused as refused:
            return Answer(HTTPStatus.BAD_REQUEST, str(refused))
        wrong = linkerd.request_fault(asked, name)
        if wrong:
            return Answer(HTTPStatus.BAD_REQUEST, wrong)
        chain = linkerd.certify(self._issuer, key, name, self._lifetime, now)
        return Answer(HTTPStatus.OK, {"chain": [to_pem([one]) for one in chain]})

    def _tell(self, kind: str, reason: str, message: str) -> None:
        """Not the same word twice in a row: every proxy's try would be an event."""
        if (reason, message) != self._told:
            say(self._given.folder, event={"type": kind, "reason": reason, "message": message})
        self._told = (reason, message) if reason == linkerd.INVALID else ("", "")


def serve(given: Settings) -> None:
    """For ever. Raises :class:`Refused` when issuer and anchors do not fit at the start."""
    try:
        anchors = ANCHORS.read_bytes()
    except OSError as error:
        raise Refused(f"could not read trust anchors: {error}") from error
    identity = Identity(given, anchors, files_in(ISSUER))
    Web((given.address, LINKERD_PORT), identity.handle, lambda: identity.context).start()
    Web((given.address, ADMIN_PORT), _health).start()
    while True:
        time.sleep(LOOK)
        identity.look()


def _health(request: Request) -> Answer:
    return Answer(HTTPStatus.OK if request.path == "/ready" else HTTPStatus.NOT_FOUND)
