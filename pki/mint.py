"""Mint the certificates a mesh needs: trust anchor, issuer, leaf, and a new anchor signed by the old one.

Why these fields: a distinct subject per generation (``OU=g2``) and SKI and AKI on all, because OpenSSL cannot tell
two same-subject anchors apart without them; no EKU on CAs, because Go takes an EKU on a CA as a constraint on every
leaf below; no name constraints, because webpki refuses URI ones (ztunnel); an anchor without a path length, so that
it can be cross-signed and its issuers can have ``pathlen:0``. CAs begin an hour in the past, for meshes tolerate only
seconds of clock skew. Sources: RFC 5280 §4.2.1; linkerd2 chart, istio and consul defaults.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from pki.errors import PkiError
from pki.profile import Identity, LeafSan, Profile

BACKDATE = timedelta(hours=1)
LEAF_BACKDATE = timedelta(minutes=2)
"""Istio's own value; a leaf lives for hours, and nodes are held at seconds of skew."""

CROSS_LIFETIME = timedelta(days=7)
"""Consul's own value for the cross-signed certificate of its built-in provider."""


@dataclass(frozen=True, slots=True)
class Subject:
    """Who a CA certificate names: ``OU=g2`` for an anchor, ``OU=g2.1`` for its first issuer; no two are alike."""

    common_name: str
    generation: int
    issuer: int | None = None

    def name(self) -> x509.Name:
        unit = f"g{self.generation}" if self.issuer is None else f"g{self.generation}.{self.issuer}"
        return x509.Name(
            [
                x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, unit),
                x509.NameAttribute(NameOID.COMMON_NAME, self.common_name),
            ]
        )


@dataclass(frozen=True, slots=True, repr=False)
class Authority:
    """A CA certificate with its key, which may live in a token. Its repr shows the subject only."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    def __repr__(self) -> str:
        return f"Authority({self.certificate.subject.rfc4514_string()})"


@dataclass(frozen=True, slots=True, repr=False)
class Leaf:
    """A leaf certificate with its key. Its repr shows the serial only."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    def __repr__(self) -> str:
        return f"Leaf(serial {self.certificate.serial_number:x})"


def new_key() -> ec.EllipticCurvePrivateKey:
    """P-256: the one curve that every mesh takes for an issuer (Linkerd takes no other)."""
    return ec.generate_private_key(ec.SECP256R1())


def mint_trust_anchor(
    subject: Subject,
    lifetime: timedelta,
    *,
    now: datetime,
    key: ec.EllipticCurvePrivateKey | None = None,
    uri: str | None = None,
) -> Authority:
    """A self-signed root. ``key`` is one that a store made (else a new one); ``uri`` its SAN, as Consul wants it."""
    signer = key or new_key()
    builder = _ca(subject.name(), subject.name(), signer.public_key(), None, now, now + lifetime)
    if uri is not None:
        builder = builder.add_extension(
            x509.SubjectAlternativeName([x509.UniformResourceIdentifier(uri)]), critical=False
        )
    builder = builder.add_extension(
        x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
    )
    return Authority(builder.sign(signer, hashes.SHA256()), signer)


def mint_issuer(
    subject: Subject,
    anchor: Authority,
    lifetime: timedelta,
    *,
    now: datetime,
    key: ec.EllipticCurvePrivateKey | None = None,
) -> Authority:
    """An intermediate (``pathlen:0``) under ``anchor``. Raises PkiError if it would outlive the anchor."""
    _within(now + lifetime, anchor.certificate, "issuer", "anchor")
    own = key or new_key()
    issuer = anchor.certificate.subject
    builder = _ca(subject.name(), issuer, own.public_key(), 0, now, now + lifetime)
    return Authority(_signed_by(builder, anchor), own)


def cross_sign(
    new_root: x509.Certificate,
    by: Authority,
    *,
    now: datetime,
    lifetime: timedelta = CROSS_LIFETIME,
) -> x509.Certificate:
    """``new_root``'s name and key under the old root, so that who trusts only the old one believes new leaves.

    Without a path length, for the new root's issuers stand below it. Raises PkiError if it would outlive either.
    """
    _within(now + lifetime, by.certificate, "cross-signed certificate", "signer")
    _within(now + lifetime, new_root, "cross-signed certificate", "own root")
    key = new_root.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise PkiError(
            "only roots with EC keys are cross-signed", hint="mint the new root with `rackroll pki`"
        )
    builder = _ca(new_root.subject, by.certificate.subject, key, None, now, now + lifetime)
    return _signed_by(builder, by)


def mint_leaf(
    profile: Profile, identity: Identity, issuer: Authority, lifetime: timedelta, *, now: datetime
) -> Leaf:
    """A short-lived certificate as the mesh itself would issue it, for canaries and tests.

    The subject is empty and the SAN therefore critical (RFC 5280 §4.1.2.6). Raises PkiError if it would outlive its
    issuer.
    """
    _within(now + lifetime, issuer.certificate, "leaf", "issuer")
    key = new_key()
    builder = (
        _builder(x509.Name([]), issuer.certificate.subject, key.public_key())
        .not_valid_before(max(now - LEAF_BACKDATE, issuer.certificate.not_valid_before_utc))
        .not_valid_after(now + lifetime)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(leaf=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage(_BOTH_SIDES), critical=False)
        .add_extension(x509.SubjectAlternativeName([_san(profile, identity)]), critical=True)
    )
    return Leaf(_signed_by(builder, issuer), key)


_BOTH_SIDES = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]


def _san(profile: Profile, identity: Identity) -> x509.GeneralName:
    name = profile.leaf_name(identity)
    return x509.DNSName(name) if profile.leaf_san is LeafSan.DNS else x509.UniformResourceIdentifier(name)


def _within(end: datetime, signer: x509.Certificate, what: str, whose: str) -> None:
    limit = signer.not_valid_after_utc
    if end > limit:
        raise PkiError(
            f"the {what} would end {end:%Y-%m-%d %H:%M}, after its {whose} ({limit:%Y-%m-%d %H:%M})",
            where=signer.subject.rfc4514_string(),
            hint="shorten its lifetime, or begin a new generation first",
        )


def _builder(
    subject: x509.Name, issuer: x509.Name, public_key: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
    )


def _ca(
    subject: x509.Name,
    issuer: x509.Name,
    public_key: ec.EllipticCurvePublicKey,
    path_length: int | None,
    now: datetime,
    end: datetime,
) -> x509.CertificateBuilder:
    return (
        _builder(subject, issuer, public_key)
        .not_valid_before(now - BACKDATE)
        .not_valid_after(end)
        .add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
        .add_extension(_usage(leaf=False), critical=True)
    )


def _signed_by(builder: x509.CertificateBuilder, signer: Authority) -> x509.Certificate:
    """The AKI is the signer's SKI as it stands in its certificate: others may have computed it another way."""
    ski = signer.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    aki = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(ski)
    return builder.add_extension(aki, critical=False).sign(signer.key, hashes.SHA256())


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
