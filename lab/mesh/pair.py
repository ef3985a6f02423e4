"""``python -m lab.mesh.pair``: one meshed workload, application and proxy in one process. SIMULATED; its TLS is real.

It dials every other ready pod with fresh, unresumed, mutual handshakes, more than ten a second each, and writes down
what came of every one. SIGTERM: it dials no more, serves until peers have stopped dialling it, and ends.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
import threading
import time
from dataclasses import dataclass
from http import HTTPStatus

from lab.mesh.handshake import answer, dial
from lab.mesh.proxies import PROXIES, Proxy
from lab.mesh.records import Attempt, Outcome, Recorder
from lab.mesh.surroundings import FILE, TRUST, Pod, Settings, read_control, settings
from lab.mesh.trust import Trust
from lab.mesh.web import Answer, Request, Web
from lab.pace import paced

_log = logging.getLogger(__name__)
READY_PORT = 15021
_LOOK = paced(0.1)
_QUIET = 1.0
"""Seconds without a new connection after which nobody dials a pod that is to go any more."""

_BACKLOG = 256


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds: between two handshakes with a peer, for each read and write of one, and at most after SIGTERM."""

    interval: float
    timeout: float
    linger: float


def pace(given: Settings) -> Pace:
    return Pace(
        1.0 / given.number("LAB_RATE", 12.0),
        given.number("LAB_TIMEOUT", 3.0),
        given.number("LAB_LINGER_SECONDS", 8.0),
    )


class Listener:
    """The proxy's inbound port, once there is a leaf to show."""

    def __init__(self, address: tuple[str, int], trust: Trust) -> None:
        self._trust = trust
        self._socket = socket.create_server(address, backlog=_BACKLOG)
        self._latest = time.monotonic()

    def start(self) -> None:
        threading.Thread(target=self._accept, name="accept", daemon=True).start()

    def linger(self, longest: float) -> None:
        """Serve until peers have stopped dialling, however late they hear of it; ``longest`` in seconds."""
        began = self._latest = time.monotonic()
        while time.monotonic() < min(self._latest + _QUIET, began + longest):
            time.sleep(_LOOK)

    def _accept(self) -> None:
        while True:
            try:
                plain, _ = self._socket.accept()
            except OSError:
                return
            self._latest = time.monotonic()
            held = self._trust.contexts
            assert held is not None
            threading.Thread(target=answer, args=(plain, held.server), daemon=True).start()


class Dialler:
    """A thread per ready peer, which ends with the peer's readiness."""

    def __init__(self, given: Settings, proxy: Proxy, trust: Trust, recorder: Recorder) -> None:
        self._given = given
        self._pace = pace(given)
        self._proxy = proxy
        self._trust = trust
        self._recorder = recorder
        self._peers: dict[Pod, threading.Event] = {}
        self._known = 0

    def follow(self) -> None:
        """Look at who is ready now."""
        known = self._written()
        around = self._given.surroundings()
        if around is None:
            return
        self._known = known
        for gone in self._peers.keys() - set(around.peers):
            self._peers.pop(gone).set()
        for peer in set(around.peers) - self._peers.keys():
            ended = self._peers[peer] = threading.Event()
            threading.Thread(target=self._keep, args=(around.own, peer, ended), daemon=True).start()

    def stop(self) -> None:
        for ended in self._peers.values():
            ended.set()
        self._peers.clear()

    def _keep(self, own: Pod, peer: Pod, ended: threading.Event) -> None:
        """Nobody is dialled by what is out of date: a process that was starved may wake up after a peer has gone."""
        due = time.monotonic()
        while not ended.wait(max(due - time.monotonic(), 0.0)):
            if self._known != self._written():
                ended.wait(_LOOK / 2)
                continue
            due = max(due + self._pace.interval, time.monotonic())
            self._recorder.add(self._attempt(own, peer))

    def _written(self) -> int:
        try:
            return (self._given.folder / FILE).stat().st_mtime_ns
        except OSError:
            return 0

    def _attempt(self, own: Pod, peer: Pod) -> Attempt:
        held = self._trust.contexts
        assert held is not None
        at, began = time.time(), time.monotonic()
        outcome: Outcome = dial(self._proxy.target(own, peer), held.client, self._pace.timeout)
        return Attempt(at, own.end, peer.end, outcome, (time.monotonic() - began) * 1000)


def main() -> None:
    given = settings(os.environ)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    trust = _trust(given)
    proxy = PROXIES[given.mesh](given, trust)
    proxy.start()
    listening = threading.Event()
    Web((given.address, READY_PORT), lambda request: _told(request, given, listening)).start()
    while not trust.usable and not stop.is_set():
        time.sleep(_LOOK)
    if stop.is_set():
        return
    listener = Listener((given.address, proxy.port), trust)
    listener.start()
    listening.set()
    _work(given, proxy, trust, stop)
    listener.linger(pace(given).linger)


def _trust(given: Settings) -> Trust:
    return Trust(PROXIES[given.mesh].alpn, given.folder / TRUST)


def _work(given: Settings, proxy: Proxy, trust: Trust, stop: threading.Event) -> None:
    """Until told to stop; a frozen pod hears it and goes on."""
    around = given.surroundings()
    assert around is not None
    dialler = Dialler(given, proxy, trust, Recorder(given.records / f"{around.own.name}.jsonl"))
    while not stop.is_set() or read_control(given.folder).frozen:
        trust.drop(read_control(given.folder).drop)
        dialler.follow()
        time.sleep(_LOOK)
    dialler.stop()


def _told(request: Request, given: Settings, listening: threading.Event) -> Answer:
    """``/ready`` for the kubelet, ``/trust`` (fingerprints, no keys) for whoever wants to see.

    Once ready it stays so: no mesh takes a pod out of service because its leaf has expired.
    """
    if request.path == "/ready":
        return Answer(HTTPStatus.OK if listening.is_set() else HTTPStatus.SERVICE_UNAVAILABLE)
    if request.path == "/trust" and (given.folder / TRUST).exists():
        return Answer(HTTPStatus.OK, (given.folder / TRUST).read_text())
    return Answer(HTTPStatus.NOT_FOUND)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s")
    main()
