"""istiod's CA as a process: CSRs and pushed bundles over TLS on 15012, readiness on 8080. SIMULATED."""

from __future__ import annotations

import hashlib
import logging
import ssl
import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from lab.mesh import istio
from lab.mesh.certificates import Refused, fingerprint, fingerprints, to_pem
from lab.mesh.mounted import LOOK, files_in, read_request, server_context
from lab.mesh.proxies import ISTIOD_PORT
from lab.mesh.surroundings import Settings, say
from lab.mesh.web import Answer, Request, Web

_log = logging.getLogger(__name__)
MOUNTED = Path("/etc/cacerts")
HEALTH_PORT = 8080
_HELD = 20.0
_LONGEST = 90 * 24 * 3600.0  # MAX_WORKLOAD_CERT_TTL


class Istiod:
    """``files`` is what it has last seen, taken or not: it says why it keeps the old CA once, not for ever."""

    def __init__(self, given: Settings, files: Mapping[str, bytes]) -> None:
        self._given = given
        self._multiroot = given.environment.get("ISTIO_MULTIROOT_MESH", "").lower() == "true"
        self._version = given.environment.get("LAB_VERSION", "")
        self._files = files
        self._changed = threading.Condition()
        self._take(istio.load(files, datetime.now(UTC)))

    @property
    def context(self) -> ssl.SSLContext:
        return self._context

    def look(self) -> None:
        """Take what the volume holds now, or say why not."""
        files = files_in(MOUNTED)
        if files == self._files:
            return
        self._files = files
        try:
            new = istio.load(files, datetime.now(UTC))
        except Refused as refused:
            _log.warning("Failed to update new Plug-in CA certs, the old stay: %s", refused)
            return
        fault = istio.root_change_fault(
            self._authority, new, multiroot=self._multiroot, version=self._version
        )
        if fault:
            _log.warning("Failed to update new Plug-in CA certs, the old stay: %s", fault)
        else:
            self._take(new)

    def _take(self, authority: istio.Authority) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        own = istio.own_certificate(authority, key.public_key(), datetime.now(UTC))
        self._context = server_context(own, key)
        with self._changed:
            self._authority = authority
            self._changed.notify_all()
        roots = sorted(one[:12] for one in fingerprints(authority.roots))
        signer = fingerprint(authority.signer.certificate)[:12]
        _log.info("signing with %s, roots %s", signer, ", ".join(roots))
        say(self._given.folder, roots=to_pem(authority.roots))

    def handle(self, request: Request) -> Answer:
        match request.method, request.path:
            case "POST", "/csr":
                return self._certify(request)
            case "GET", "/pcds" if self._multiroot:
                return self._bundle(request.query.get("have", ""))
            case "GET", "/pcds":
                time.sleep(_HELD)
                return Answer(HTTPStatus.OK)
            case _:
                return Answer(HTTPStatus.NOT_FOUND)

    def _certify(self, request: Request) -> Answer:
        try:
            _, key, name = read_request(request.body)
            lifetime = timedelta(seconds=min(float(request.body.get("seconds", 86400)), _LONGEST))
        except (Refused, ValueError) as error:
            return Answer(HTTPStatus.BAD_REQUEST, str(error))
        with self._changed:
            authority = self._authority
        chain = istio.certify(authority, key, name, lifetime, datetime.now(UTC))
        return Answer(HTTPStatus.OK, {"chain": [*(to_pem([one]) for one in chain), to_pem(authority.roots)]})

    def _bundle(self, have: str) -> Answer:
        """Held until the roots are not those; an empty answer after a while."""
        with self._changed:
            self._changed.wait_for(lambda: self._mark() != have, timeout=_HELD)
            if self._mark() == have:
                return Answer(HTTPStatus.OK)
            return Answer(HTTPStatus.OK, {"roots": to_pem(self._authority.roots)})

    def _mark(self) -> str:
        return hashlib.sha256(to_pem(self._authority.roots).encode()).hexdigest()


def serve(given: Settings) -> None:
    """For ever. Raises :class:`Refused` when the volume holds nothing sound at the start."""
    istiod = Istiod(given, files_in(MOUNTED))
    Web((given.address, ISTIOD_PORT), istiod.handle, lambda: istiod.context).start()
    Web((given.address, HEALTH_PORT), _health).start()
    while True:
        time.sleep(LOOK)
        istiod.look()


def _health(request: Request) -> Answer:
    return Answer(HTTPStatus.OK if request.path == "/ready" else HTTPStatus.NOT_FOUND)
