"""One odd chain with the verdicts that it must get."""

from __future__ import annotations

from dataclasses import dataclass

from pki.verify.chain import Chain
from tests.unit.odd_certificates import Made

ACCEPTS, REFUSES = "openssl accepts", "openssl refuses"


@dataclass(frozen=True)
class Case:
    """``words``: all reasons of ours. ``differs``: why ours refuses what OpenSSL accepts."""

    chain: Chain
    anchors: Chain
    words: tuple[str, ...]
    openssl: str
    differs: str = ""
    mesh: str = "istio"
    domain: str = "cluster.local"


def case(
    chain: tuple[Made, ...],
    anchors: tuple[Made, ...],
    words: str,
    openssl: str,
    differs: str = "",
    mesh: str = "istio",
    domain: str = "cluster.local",
) -> Case:
    certs = tuple(each.cert for each in chain)
    return Case(certs, tuple(a.cert for a in anchors), tuple(words.split()), openssl, differs, mesh, domain)
