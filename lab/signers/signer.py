"""What every signer offers, whoever drives a rotation: by hand in a test, or rackroll's own engine."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Protocol

from cryptography import x509

from lab.control.flags import LOOPBACK
from lab.control.process import Running
from lab.signers.generation import Authority
from lab.signers.leaf import Certificates, Leaf, Workload
from rollout.errors import RackrollError

_PATIENCE = timedelta(seconds=90)


class SignerRefused(RackrollError):
    """The signer answered, and gave no certificate. ``where`` is the signer, ``hint`` what to look at."""


class Source(Protocol):
    """Where a proxy's leaves come from."""

    def ask(self, workload: Workload, held: Leaf | None = None) -> Leaf:
        """A leaf for this workload, with the roots that a proxy of this mesh then believes.

        ``held`` is what the proxy has; without it the proxy has just started. Raises :class:`SignerRefused`.
        """
        ...


class Signer(Source, Protocol):
    """One mesh's authority, running.

    ``publish`` says which anchors the mesh believes from now on, ``switch`` who signs from now on; neither waits for
    the mesh to have taken it up: :meth:`lab.signers.fleet.Fleet.until` does. ``bundle`` is what a proxy that starts
    now would believe. ``restart`` is that of a pod: it starts with what its volumes then have to show.
    """

    def publish(self, anchors: Sequence[x509.Certificate]) -> None: ...

    def switch(self, issuer: Authority) -> None: ...

    def bundle(self) -> Certificates: ...

    def restart(self) -> None: ...


def free_ports(count: int) -> list[int]:
    """On loopback; all held at once, so that no number comes twice."""
    with ExitStack() as held:
        return [
            held.enter_context(socket.create_server((LOOPBACK, 0))).getsockname()[1] for _ in range(count)
        ]


def launch(
    name: str, argv: Sequence[str], log: Path, environment: Mapping[str, str], inside: Sequence[str] = ()
) -> Running:
    """With these variables on top of our own; ``inside`` is a program that runs it, such as unshare(1)."""
    settings = [f"{variable}={value}" for variable, value in environment.items()]
    return Running(name, ["env", *settings, *inside, *argv], log)


def wait_for(what: str, true: Callable[[], bool], process: Running) -> None:
    """Raises RackrollError when the program ends first, or after 90 s."""
    deadline = time.monotonic() + _PATIENCE.total_seconds()
    while time.monotonic() < deadline:
        process.require()
        if true():
            return
        time.sleep(0.1)
    raise RackrollError(
        f"{process.name} is running, but {what} did not come about within {_PATIENCE.total_seconds():.0f} s",
        where=str(process.log),
        hint="read the end of its log",
    )
