"""How a certificate is named everywhere: in bundles, in a census, in an alert."""

from __future__ import annotations

from cryptography import x509
from cryptography.hazmat.primitives import hashes


def fingerprint(cert: x509.Certificate) -> str:
    """SHA-256 of the DER as lower-case hex: what ``openssl x509 -fingerprint -sha256`` shows, without colons."""
    return cert.fingerprint(hashes.SHA256()).hex()
