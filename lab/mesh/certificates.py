"""X.509 as the simulated signers need it: bundles, chains, leaves, cross-signing. Pure.

Chains are checked here by hand, because a signer checks CA certificates and ``x509.verification`` checks leaves only.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

Certificate = x509.Certificate
PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey


class Refused(Exception):
    """Trust material that a signer or a proxy does not take; the message is for its log and never holds a key."""


@dataclass(frozen=True, slots=True, repr=False)
class Signer:
    """A CA that signs leaves. ``chain`` follows its own certificate on the way up, without the root."""

    certificate: Certificate
    key: PrivateKey
    chain: tuple[Certificate, ...] = ()

    def __repr__(self) -> str:
        return f"Signer({self.certificate.subject.rfc4514_string()})"


@dataclass(frozen=True, slots=True)
class Profile:
    """What a mesh writes into a leaf. ``backdated`` is how far ``notBefore`` lies in the past."""

    common_name: str
    names: tuple[x509.GeneralName, ...]
    lifetime: timedelta
    backdated: timedelta


def bundle(pem: bytes | str) -> tuple[Certificate, ...]:
    """The certificates of a PEM text, in order; none for an empty one. Raises :class:`Refused`."""
    data = pem.encode() if isinstance(pem, str) else pem
    if not data.strip():
        return ()
    try:
        return tuple(x509.load_pem_x509_certificates(data))
    except ValueError as error:
        raise Refused(f"not a PEM bundle of certificates: {error}") from error


def to_pem(certificates: Iterable[Certificate]) -> str:
    return "".join(one.public_bytes(serialization.Encoding.PEM).decode() for one in certificates)


def read_key(pem: bytes | str) -> PrivateKey:
    """PKCS8, SEC1 or PKCS1. Raises :class:`Refused`."""
    data = pem.encode() if isinstance(pem, str) else pem
    try:
        key = serialization.load_pem_private_key(data, password=None)
    except (ValueError, TypeError) as error:
        raise Refused(f"the private key cannot be read: {type(error).__name__}") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        raise Refused(f"the private key is {type(key).__name__}: EC or RSA expected")
    return key


def key_to_pem(key: PrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def fingerprint(certificate: Certificate) -> str:
    """SHA-256 in lower-case hexadecimal."""
    return certificate.fingerprint(hashes.SHA256()).hex()


def fingerprints(certificates: Iterable[Certificate]) -> frozenset[str]:
    return frozenset(fingerprint(one) for one in certificates)


def matches(key: PrivateKey, certificate: Certificate) -> bool:
    return _public(key.public_key()) == _public(certificate.public_key())


def _public(key: object) -> bytes:
    assert isinstance(key, ec.EllipticCurvePublicKey | rsa.RSAPublicKey)
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def is_authority(certificate: Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def self_signed(certificate: Certificate) -> bool:
    return certificate.subject == certificate.issuer and _signed_by(certificate, certificate)


def chain_fault(
    certificate: Certificate,
    between: Sequence[Certificate],
    anchors: Sequence[Certificate],
    now: datetime,
) -> str:
    """Why ``certificate`` does not lead to an anchor by way of ``between``; empty when it does.

    Anchors' own dates count, as in Go and OpenSSL; Linkerd's proxies (webpki) would ignore them.
    """
    seen, path = [certificate], 0
    while True:
        last = seen[-1]
        if not last.not_valid_before_utc <= now <= last.not_valid_after_utc:
            return f"{_named(last)} is not valid now"
        if last in anchors:
            return ""
        above = next((one for one in anchors if _issued(last, one, path)), None)
        if above is not None:
            return "" if _in_time(above, now) else f"{_named(above)} is not valid now"
        above = next((one for one in between if one not in seen and _issued(last, one, path)), None)
        if above is None:
            return f"{_named(last)} is issued by nobody who is trusted"
        seen.append(above)
        path += 1


def _in_time(certificate: Certificate, now: datetime) -> bool:
    return certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc


def _issued(certificate: Certificate, above: Certificate, path: int) -> bool:
    """``path`` counts the intermediates below ``above``."""
    if not is_authority(above) or not _signed_by(certificate, above):
        return False
    longest = above.extensions.get_extension_for_class(x509.BasicConstraints).value.path_length
    return longest is None or path <= longest


def _signed_by(certificate: Certificate, above: Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(above)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _named(certificate: Certificate) -> str:
    return certificate.subject.rfc4514_string() or "a certificate without a subject"


def sign_leaf(
    signer: Signer, public_key: PublicKey, profile: Profile, now: datetime
) -> tuple[Certificate, ...]:
    """The leaf and the chain that is sent with it. It never outlives its signer's chain (``NotAfter`` is clamped)."""
    ends = min(one.not_valid_after_utc for one in (signer.certificate, *signer.chain))
    subject = named(profile.common_name)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(signer.certificate.subject)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - profile.backdated)
        .not_valid_after(min(now + profile.lifetime, ends))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(leaf=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage(_BOTH_ENDS), critical=False)
        .add_extension(x509.SubjectAlternativeName(profile.names), critical=not list(subject))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
        .add_extension(_authority_key(signer.certificate), critical=False)
    )
    return builder.sign(signer.key, hashes.SHA256()), signer.certificate, *signer.chain


def named(common_name: str) -> x509.Name:
    """Without a name where there is none, or one of more than the 64 letters that X.520 allows: SANs name leaves."""
    fits = 0 < len(common_name) <= 64
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)] if fits else [])


_BOTH_ENDS = (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH)


def mint_root(
    common_name: str, uri: str, key: PrivateKey, lifetime: timedelta, *, now: datetime
) -> Certificate:
    """A self-signed root with a URI name: what Consul's servers make for themselves."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    public = key.public_key()
    builder = _authority(name, name, public, now, now + lifetime)
    builder = builder.add_extension(
        x509.SubjectAlternativeName([x509.UniformResourceIdentifier(uri)]), critical=False
    ).add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(public), critical=False)
    return builder.sign(key, hashes.SHA256())


def cross_sign(
    new: Certificate, old: Signer, lifetime: timedelta, backdated: timedelta, *, now: datetime
) -> Certificate:
    """``new``'s name and key under ``old``: who trusts only ``old`` can then follow a chain that ``new`` began."""
    public = new.public_key()
    assert isinstance(public, ec.EllipticCurvePublicKey | rsa.RSAPublicKey)
    ends = min(now + lifetime, old.certificate.not_valid_after_utc)
    builder = _authority(new.subject, old.certificate.subject, public, now - backdated, ends)
    builder = builder.add_extension(_authority_key(old.certificate), critical=False)
    names = _names_of(new)
    if names is not None:
        builder = builder.add_extension(names, critical=False)
    return builder.sign(old.key, hashes.SHA256())


def _names_of(certificate: Certificate) -> x509.SubjectAlternativeName | None:
    try:
        return certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return None


def uris_of(certificate: Certificate) -> tuple[str, ...]:
    names = _names_of(certificate)
    return tuple(names.get_values_for_type(x509.UniformResourceIdentifier)) if names else ()


def dns_names_of(certificate: Certificate) -> tuple[str, ...]:
    names = _names_of(certificate)
    return tuple(names.get_values_for_type(x509.DNSName)) if names else ()


def _authority(
    subject: x509.Name, issuer: x509.Name, public: PublicKey, begins: datetime, ends: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(ends)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(_usage(leaf=False), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    )


def _authority_key(above: Certificate) -> x509.AuthorityKeyIdentifier:
    try:
        known = above.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    except x509.ExtensionNotFound:
        public = above.public_key()
        assert isinstance(public, ec.EllipticCurvePublicKey | rsa.RSAPublicKey)
        return x509.AuthorityKeyIdentifier.from_issuer_public_key(public)
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(known)


def _usage(*, leaf: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=leaf,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=not leaf,
        crl_sign=not leaf,
        encipher_only=False,
        decipher_only=False,
    )
