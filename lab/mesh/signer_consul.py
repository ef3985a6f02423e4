"""One Consul server's CA as a process: its HTTP API on 8500, its state in the pod's data volume. SIMULATED."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
import uuid
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from lab.mesh import consul
from lab.mesh.certificates import Refused, key_to_pem
from lab.mesh.proxies import CONSUL_PORT, LEAF
from lab.mesh.surroundings import Settings
from lab.mesh.web import Answer, Request, Web

_log = logging.getLogger(__name__)
DATA = Path("/consul/data")
LEAF_SECONDS = 45.0
"""An old root goes after twice this: upstream's default is 72 h and its floor an hour, and nobody would see it."""

_LEAF = "/v1/agent/connect/ca/leaf/"
_LONGEST_WAIT = 25.0


class Server:
    def __init__(self, given: Settings, data: Path) -> None:
        self._file = data / "connect-ca.json"
        self._changed = threading.Condition()
        try:
            self._state = consul.load(self._file.read_text())
        except FileNotFoundError:
            seconds = given.number(LEAF, LEAF_SECONDS)
            self._take(consul.begun(str(uuid.uuid4()), seconds, datetime.now(UTC)))

    def prune(self) -> None:
        with self._changed:
            pruned = consul.pruned(self._state, datetime.now(UTC))
            if pruned is not self._state:
                _log.info("pruned %d old roots", len(self._state.roots) - len(pruned.roots))
                self._take(pruned)

    def handle(self, request: Request) -> Answer:
        match request.method, request.path:
            case "GET", "/v1/status/leader":
                return Answer(HTTPStatus.OK, "127.0.0.1:8300")
            case "GET", "/v1/connect/ca/roots" | "/v1/agent/connect/ca/roots":
                self._await(request)
                state = self._state
                return Answer(
                    HTTPStatus.OK, consul.roots_document(state), {"X-Consul-Index": str(state.index)}
                )
            case "GET", "/v1/connect/ca/configuration":
                return Answer(HTTPStatus.OK, consul.configuration_document(self._state))
            case "PUT", "/v1/connect/ca/configuration":
                return self._configure(request)
            case "GET", path if path.startswith(_LEAF):
                return self._leaf(path.removeprefix(_LEAF))
            case _:
                return Answer(HTTPStatus.NOT_FOUND)

    def _await(self, request: Request) -> None:
        """A blocking query: held while the index is the one that the asker knows."""
        known = request.query.get("index")
        if known is None:
            return
        with contextlib.suppress(Refused, ValueError):
            wait = min(consul.seconds(request.query.get("wait", "300s")), _LONGEST_WAIT)
            with self._changed:
                self._changed.wait_for(lambda: self._state.index > int(known), timeout=wait)

    def _configure(self, request: Request) -> Answer:
        try:
            with self._changed:
                new = consul.configured(self._state, request.body or {}, datetime.now(UTC))
                self._take(new)
        except Refused as refused:
            _log.warning("configuration refused: %s", refused)
            return Answer(HTTPStatus.INTERNAL_SERVER_ERROR, str(refused))
        _log.info("configured: active root %s of %d", new.active.id, len(new.roots))
        return Answer(HTTPStatus.OK)

    def _leaf(self, service: str) -> Answer:
        state = self._state
        key = ec.generate_private_key(ec.SECP256R1())
        chain = consul.certify(state, service, key.public_key(), datetime.now(UTC))
        return Answer(HTTPStatus.OK, consul.leaf_document(state, service, chain, key_to_pem(key)))

    def _take(self, state: consul.State) -> None:
        """On disk before it is in use, readable by root alone: it holds the active root's key."""
        draft = self._file.with_suffix(".draft")
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w") as sink:
            sink.write(consul.dump(state))
        draft.replace(self._file)
        with self._changed:
            self._state = state
            self._changed.notify_all()


def serve(given: Settings) -> None:
    """For ever."""
    server = Server(given, DATA)
    Web((given.address, CONSUL_PORT), server.handle).start()
    while True:
        time.sleep(1.0)
        server.prune()
