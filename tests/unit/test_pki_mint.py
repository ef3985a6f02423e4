"""Minted CAs hold up before OpenSSL, not only before the library that made them."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from pki.mint import Authority, Subject, mint_issuer, mint_trust_anchor

NOW = datetime.now(UTC)
YEAR = timedelta(days=365)


def anchor(generation: int = 1) -> Authority:
    return mint_trust_anchor(Subject("root.linkerd.cluster.local", generation), 10 * YEAR, now=NOW)


def issuer(of: Authority, generation: int = 1) -> Authority:
    return mint_issuer(Subject("identity.linkerd.cluster.local", generation), of, YEAR, now=NOW)


def openssl_accepts(leaf: Authority, anchors: list[Authority], folder: Path) -> bool:
    (folder / "anchors.pem").write_bytes(b"".join(a.certificate.public_bytes(Encoding.PEM) for a in anchors))
    (folder / "issuer.pem").write_bytes(leaf.certificate.public_bytes(Encoding.PEM))
    argv = ["openssl", "verify", "-x509_strict", "-CAfile", "anchors.pem", "issuer.pem"]
    return subprocess.run(argv, cwd=folder, capture_output=True, check=False).returncode == 0


def test_openssl_accepts_an_issuer_under_its_own_anchor(tmp_path: Path) -> None:
    root = anchor()
    assert openssl_accepts(issuer(root), [root], tmp_path)


def test_openssl_refuses_an_issuer_under_another_generations_anchor(tmp_path: Path) -> None:
    assert not openssl_accepts(issuer(anchor(1)), [anchor(2)], tmp_path)


def test_a_bundle_of_two_generations_accepts_issuers_of_both(tmp_path: Path) -> None:
    old, new = anchor(1), anchor(2)
    assert openssl_accepts(issuer(old, 1), [new, old], tmp_path)
    assert openssl_accepts(issuer(new, 2), [new, old], tmp_path)


def test_an_issuer_never_outlives_its_anchor() -> None:
    short = mint_trust_anchor(Subject("root", 1), timedelta(days=30), now=NOW)
    with pytest.raises(ValueError, match="after its anchor"):
        issuer(short)


def test_no_ca_carries_an_extended_key_usage() -> None:
    for authority in (root := anchor(), issuer(root)):
        with pytest.raises(x509.ExtensionNotFound):
            authority.certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage)


def test_an_issuer_may_not_have_cas_below_it() -> None:
    constraints = issuer(anchor()).certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    assert (constraints.value.ca, constraints.value.path_length) == (True, 0)


def test_the_repr_of_an_authority_shows_no_key() -> None:
    assert repr(anchor()) == "Authority(CN=root.linkerd.cluster.local,OU=g1)"
