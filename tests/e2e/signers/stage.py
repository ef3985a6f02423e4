"""Who takes part in these tests, and what is asked of a chain by two programs that are not of one make."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from lab.signers.fleet import Fleet, Manner, Proxy
from lab.signers.leaf import Leaf, Workload, pem
from lab.signers.pairs import Pairs
from lab.signers.signer import Source

WORKLOADS = tuple(Workload("default", account) for account in ("web", "api", "store"))
WEB, API, STORE = WORKLOADS

SHARE = 30
"""Handshakes that each pair makes in each state of a rotation before the next step: none is passed unseen."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Proxies with the traffic between them."""

    fleet: Fleet
    pairs: Pairs

    def watch(self) -> None:
        self.pairs.more(SHARE)


def proxies(source: Source, manner: Manner) -> list[Proxy]:
    return [Proxy(workload, source, manner) for workload in WORKLOADS]


@contextmanager
def stage(members: Sequence[Proxy]) -> Iterator[Stage]:
    """They renew in the background and shake hands all the time; the tally is printed at the end (`pytest -s`)."""
    with Fleet(members) as fleet, Pairs(members) as pairs:
        yield Stage(fleet, pairs)
    print(pairs.tally())


@contextmanager
def still(members: Sequence[Proxy]) -> Iterator[Pairs]:
    """The same, but renewed only when a test says so: for what happens between one proxy's renewal and the next's."""
    for proxy in members:
        proxy.start()
    with Pairs(members) as pairs:
        yield pairs
    print(pairs.tally())


def believed(leaf: Leaf, roots: Sequence[x509.Certificate]) -> bool:
    """By the verifier of ``cryptography``, as a client's certificate."""
    verifier = PolicyBuilder().store(Store(list(roots))).time(datetime.now(UTC)).build_client_verifier()
    try:
        verifier.verify(leaf.certificate, list(leaf.chain[1:]))
    except VerificationError:
        return False
    return True


def openssl(leaf: Leaf, roots: Sequence[x509.Certificate], folder: Path) -> str:
    """What ``openssl verify`` says, its rules strict; ends in ``OK`` when it believes the chain."""
    files = {"roots": pem(roots), "leaf": pem(leaf.chain[:1]), "between": pem(leaf.chain[1:])}
    for name, text in files.items():
        (folder / name).write_text(text)
    between = ["-untrusted", "between"] if leaf.chain[1:] else []
    done = subprocess.run(
        ["openssl", "verify", "-x509_strict", "-no-CApath", "-CAfile", "roots", *between, "leaf"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    return (done.stdout + done.stderr).strip()
