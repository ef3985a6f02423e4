"""Bundles are read strictly: whatever is not a certificate is refused, with line and remedy, and never repeated."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from pki.bundle import TrustBundle, read_pem, to_pem
from pki.errors import PkiError
from pki.fingerprint import fingerprint
from tests.unit.odd_certificates import NOW, ROOT, Made

OLD, NEW = ROOT.root(), ROOT.but(unit="g2").root()
BOTH = to_pem([OLD.cert, NEW.cert])


def key_block(made: Made) -> str:
    return made.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def test_what_was_written_is_read_back_in_order() -> None:
    assert read_pem(BOTH, "bundle") == (OLD.cert, NEW.cert)
    assert read_pem(BOTH.encode().replace(b"\n", b"\r\n"), "bundle") == (OLD.cert, NEW.cert)


JUNK = {
    "empty": ("", "holds no certificate"),
    "white space only": (" \n\n", "holds no certificate"),
    "trailing junk": (BOTH + "junk\n", "text outside of the certificates"),
    "leading junk": ("junk\n" + BOTH, "line 1: text outside"),
    "a comment between": (to_pem([OLD.cert]) + "# new root\n" + to_pem([NEW.cert]), "text outside"),
    "a block that does not end": (BOTH + "-----BEGIN CERTIFICATE-----\nAAAA\n", "does not end as it begins"),
    "an end alone": (BOTH + "-----END CERTIFICATE-----\n", "does not end as it begins"),
    "another block": (BOTH.replace("CERTIFICATE", "X509 CRL", 2), "line 1: a block 'X509 CRL'"),
    "a private key": (BOTH + key_block(OLD), "a private key among certificates"),
    "twice": (BOTH + to_pem([OLD.cert]), "certificate 3, CN=root,OU=g1 ("),
    "damaged base64": (BOTH.replace("MII", "M!I", 1), "line 1: not a certificate"),
    "bytes after the certificate": (
        "-----BEGIN CERTIFICATE-----\nMAAA\n-----END CERTIFICATE-----\n",
        "line 1: not a certificate",
    ),
    "not ASCII": ("é" + BOTH, "not ASCII"),
    "too large": ("A" * (1024 * 1024 + 1), "at most 1048576"),
}


@pytest.mark.parametrize("name", JUNK)
def test_junk_is_refused_with_what_where_and_next(name: str) -> None:
    text, what = JUNK[name]
    with pytest.raises(PkiError) as caught:
        read_pem(text, "ConfigMap linkerd/roots")
    said = str(caught.value)
    assert what in said
    assert said.startswith("ConfigMap linkerd/roots: ")
    assert "\n  next: " in said


def test_a_refused_key_is_not_repeated_in_the_message() -> None:
    with pytest.raises(PkiError) as caught:
        read_pem(key_block(OLD), "x")
    assert not any(line in str(caught.value) for line in key_block(OLD).splitlines()[1:-1])


def test_openssl_skips_the_text_that_ours_refuses(tmp_path: Path) -> None:
    """The documented difference: what one consumer skips, another may take for a part of a block."""
    (tmp_path / "bundle.pem").write_text(BOTH + "junk\n")
    (tmp_path / "cert.pem").write_text(to_pem([NEW.cert]))
    when = ["-attime", str(int(NOW.timestamp()))]
    argv = ["openssl", "verify", *when, "-no-CApath", "-no-CAstore", "-CAfile", "bundle.pem", "cert.pem"]
    assert subprocess.run(argv, cwd=tmp_path, capture_output=True, check=False).returncode == 0


def test_a_bundle_grows_at_its_end_and_keeps_the_old_bytes_in_one_piece() -> None:
    """Istio before 1.29.1 took a new bundle only where the old one was a contiguous part of it."""
    old = TrustBundle((OLD.cert,))
    grown = old.with_(NEW.cert)
    assert grown.pem.startswith(old.pem)
    assert grown.fingerprints == (fingerprint(OLD.cert), fingerprint(NEW.cert))


def test_adding_twice_is_adding_once() -> None:
    bundle = TrustBundle((OLD.cert, NEW.cert))
    assert bundle.with_(OLD.cert) == bundle


def test_removing_leaves_the_others() -> None:
    bundle = TrustBundle((OLD.cert, NEW.cert))
    assert bundle.without(fingerprint(OLD.cert)) == TrustBundle((NEW.cert,))


def test_the_last_anchor_cannot_be_removed() -> None:
    with pytest.raises(PkiError, match="only anchor"):
        TrustBundle((OLD.cert,)).without(fingerprint(OLD.cert))


def test_removing_an_unknown_anchor_is_refused() -> None:
    with pytest.raises(PkiError, match="has no certificate"):
        TrustBundle((OLD.cert,)).without(fingerprint(NEW.cert))


def test_fingerprints_are_those_that_openssl_shows() -> None:
    from hashlib import sha256

    assert fingerprint(OLD.cert) == sha256(OLD.cert.public_bytes(Encoding.DER)).hexdigest()
