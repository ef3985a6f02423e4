"""Mint the two CA certificates a mesh needs: a trust anchor and an issuer under it.

Why these fields: distinct subject per generation and SKI/AKI on both, because OpenSSL cannot tell two
same-subject anchors apart without them; no EKU on CAs, because Go treats an EKU on a CA as a constraint on
every leaf below it; ``notBefore`` backdated one hour, because meshes tolerate only seconds of clock skew.
Sources: RFC 5280 §4.2.1, and the profile notes in docs/decisions.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

BACKDATE = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Subject:
    """Who a CA certificate names; ``generation`` makes each rotation's subject distinct (``OU=g2``)."""

    common_name: str
    generation: int

    def name(self) -> x509.Name:
        return x509.Name(
            [
                x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, f"g{self.generation}"),
                x509.NameAttribute(NameOID.COMMON_NAME, self.common_name),
            ]
        )


@dataclass(frozen=True, slots=True, repr=False)
class Authority:
    """A CA certificate with its key. Never printed: its repr shows the subject only."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    def __repr__(self) -> str:
        return f"Authority({self.certificate.subject.rfc4514_string()})"


def mint_trust_anchor(subject: Subject, lifetime: timedelta, *, now: datetime) -> Authority:
    """A self-signed P-256 root without a path length, so that intermediates of any depth stay possible."""
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = _signed(subject.name(), key.public_key(), subject.name(), key, None, lifetime, now)
    return Authority(certificate, key)


def mint_issuer(subject: Subject, anchor: Authority, lifetime: timedelta, *, now: datetime) -> Authority:
    """An intermediate (pathlen 0) under ``anchor``; raises ValueError if it would outlive the anchor."""
    if now + lifetime > anchor.certificate.not_valid_after_utc:
        raise ValueError(
            f"issuer would end {now + lifetime:%Y-%m-%d}, after its anchor "
            f"({anchor.certificate.not_valid_after_utc:%Y-%m-%d}): shorten it or mint a new anchor first"
        )
    key = ec.generate_private_key(ec.SECP256R1())
    issuer_name = anchor.certificate.subject
    certificate = _signed(subject.name(), key.public_key(), issuer_name, anchor.key, 0, lifetime, now)
    return Authority(certificate, key)


def _signed(
    subject: x509.Name,
    public_key: ec.EllipticCurvePublicKey,
    issuer: x509.Name,
    signer: ec.EllipticCurvePrivateKey,
    path_length: int | None,
    lifetime: timedelta,
    now: datetime,
) -> x509.Certificate:
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATE)
        .not_valid_after(now + lifetime)
        .add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
        .add_extension(_CA_KEY_USAGE, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
        )
    )
    return builder.sign(signer, hashes.SHA256())


_CA_KEY_USAGE = x509.KeyUsage(
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=True,
    encipher_only=False,
    decipher_only=False,
)
