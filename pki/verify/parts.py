"""Parts of a certificate, None where it has none."""

from __future__ import annotations

from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from pki import profile

E = TypeVar("E", bound=x509.ExtensionType)


def extension(cert: x509.Certificate, kind: type[E]) -> x509.Extension[E] | None:
    try:
        return cert.extensions.get_extension_for_class(kind)
    except x509.ExtensionNotFound:
        return None


def key_algorithm(cert: x509.Certificate) -> str:
    """In the words of ``pki.profile``: ``EC P-256``, ``RSA 2048``."""
    key = cert.public_key()
    match key:
        case ec.EllipticCurvePublicKey():
            curves = {"secp256r1": profile.P256, "secp384r1": profile.P384, "secp521r1": profile.P521}
            return curves.get(key.curve.name, f"EC {key.curve.name}")
        case rsa.RSAPublicKey():
            return f"RSA {key.key_size}"
    return type(key).__name__.removesuffix("PublicKey")


def signed_by(cert: x509.Certificate, signer: x509.Certificate) -> bool:
    """Whether names and signature fit; says nothing about whether ``signer`` may sign."""
    try:
        cert.verify_directly_issued_by(signer)
    except (InvalidSignature, ValueError, TypeError, UnsupportedAlgorithm):
        return False
    return True


def subject_key_id(cert: x509.Certificate) -> bytes | None:
    found = extension(cert, x509.SubjectKeyIdentifier)
    return found.value.digest if found else None


def authority_key_id(cert: x509.Certificate) -> bytes | None:
    found = extension(cert, x509.AuthorityKeyIdentifier)
    return found.value.key_identifier if found else None
