"""How a certificate is named everywhere: in bundles, in a census, in an alert."""

from __future__ import annotations

from cryptography import x509
from cryptography.hazmat.primitives import hashes


def fingerprint(cert: x509.Certificate) -> str:
    """SHA-256 of the DER as lower-case hex: what ``openssl x509 -fingerprint -sha256`` shows, without colons."""
    return cert.fingerprint(hashes.SHA256()).hex()


def named(cert: x509.Certificate) -> str:
    """For messages: subject and the start of the fingerprint. A leaf of a mesh has no subject, so its serial has to do.

    A subject is somebody else's text: what a terminal would act on is left out.
    """
    name = cert.subject.rfc4514_string() or f"serial {cert.serial_number:x}"
    return f"{printable(name)} ({fingerprint(cert)[:12]})"


def printable(text: str) -> str:
    return "".join(each if each.isprintable() else "?" for each in text[:120])
