"""What a leaf must be for its mesh: one identity of the right form, for both sides of a connection."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from pki.fingerprint import printable
from pki.profile import ANY, LeafSan, Profile
from pki.verify.common import common
from pki.verify.parts import authority_key_id, extension
from pki.verify.reason import Reason, Refusal, refused

_BOTH = {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH}


def leaf_refusals(cert: x509.Certificate, profile: Profile, now: datetime) -> Iterator[Refusal]:
    yield from common(cert, ANY, now)
    usage = extension(cert, x509.KeyUsage)
    if usage is None or not usage.value.digital_signature:
        yield refused(Reason.WRONG_KEY_USAGE, cert, "has no key usage of digitalSignature")
    eku = extension(cert, x509.ExtendedKeyUsage)
    if eku is None or not set(eku.value) >= _BOTH:
        yield refused(Reason.MISSING_EKU, cert, "is not for both sides: serverAuth and clientAuth")
    if authority_key_id(cert) is None:
        yield refused(Reason.MISSING_AKI, cert, "has no authority key identifier")
    yield from _identity(cert, profile)


def _identity(cert: x509.Certificate, profile: Profile) -> Iterator[Refusal]:
    san = extension(cert, x509.SubjectAlternativeName)
    names = list(san.value) if san else []
    kind = x509.DNSName if profile.leaf_san is LeafSan.DNS else x509.UniformResourceIdentifier
    if len(names) != 1 or not isinstance(names[0], kind):
        listed = ", ".join(printable(str(name.value)) for name in names) or "none"
        what = f"has not exactly one {profile.leaf_san.value.upper()} SAN (it has: {listed})"
        yield refused(Reason.WRONG_IDENTITY, cert, what)
        return
    name = str(names[0].value)
    if not _of_this_mesh(name, profile):
        what = f"is for {printable(name)}, outside of the trust domain {profile.trust_domain}"
        yield refused(Reason.WRONG_IDENTITY, cert, what)


def _of_this_mesh(name: str, profile: Profile) -> bool:
    if profile.leaf_san is LeafSan.DNS:
        return name.endswith(f".identity.{profile.kind}.{profile.trust_domain}")
    return name.startswith(f"spiffe://{profile.trust_domain}/")
