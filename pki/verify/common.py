"""What holds for every certificate of a chain: dates, algorithms, extensions that are understood."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.x509.oid import ExtensionOID

from pki.verify.parts import key_algorithm
from pki.verify.reason import Reason, Refusal, refused

_HASHES = (hashes.SHA256, hashes.SHA384, hashes.SHA512)
_UNDERSTOOD = {
    ExtensionOID.BASIC_CONSTRAINTS,
    ExtensionOID.KEY_USAGE,
    ExtensionOID.EXTENDED_KEY_USAGE,
    ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
    ExtensionOID.SUBJECT_KEY_IDENTIFIER,
    ExtensionOID.AUTHORITY_KEY_IDENTIFIER,
    ExtensionOID.NAME_CONSTRAINTS,
}


def common(cert: x509.Certificate, keys: frozenset[str], now: datetime) -> Iterator[Refusal]:
    """``keys`` are the algorithms that the mesh takes in this place of the chain."""
    yield from dates(cert, now)
    if cert.version is not x509.Version.v3:
        yield refused(Reason.NOT_V3, cert, "is not X.509 version 3, so it can say nothing about being a CA")
    if key_algorithm(cert) not in keys:
        listed = ", ".join(sorted(keys))
        yield refused(Reason.WRONG_ALGORITHM, cert, f"has a key of {key_algorithm(cert)}; taken: {listed}")
    if (weak := _weak_signature(cert)) is not None:
        yield refused(Reason.WRONG_ALGORITHM, cert, weak)
    for each in cert.extensions:
        if each.critical and each.oid not in _UNDERSTOOD:
            what = f"has the critical extension {each.oid.dotted_string}, which meshes do not know"
            yield refused(Reason.UNKNOWN_CRITICAL, cert, what)


def dates(cert: x509.Certificate, now: datetime) -> Iterator[Refusal]:
    """Both ends count as valid (RFC 5280 §4.1.2.5)."""
    if now < cert.not_valid_before_utc:
        what = f"is valid from {cert.not_valid_before_utc:%Y-%m-%d %H:%M} UTC on"
        yield refused(Reason.NOT_YET_VALID, cert, what)
    if now > cert.not_valid_after_utc:
        yield refused(Reason.EXPIRED, cert, f"expired on {cert.not_valid_after_utc:%Y-%m-%d %H:%M} UTC")


def _weak_signature(cert: x509.Certificate) -> str | None:
    try:
        algorithm = cert.signature_hash_algorithm
    except UnsupportedAlgorithm:
        return "is signed with an algorithm that is not known"
    if not isinstance(algorithm, _HASHES):
        return f"is signed over {algorithm.name if algorithm else 'no hash'}; taken: SHA-256, -384, -512"
    if isinstance(cert.signature_algorithm_parameters, padding.PSS):
        return "is signed with RSA-PSS, which Linkerd's and Istio's checks do not take"
    return None
