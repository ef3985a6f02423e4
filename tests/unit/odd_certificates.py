"""A builder for certificates that `pki.mint` would never make. Keys are made here and forgotten with the process."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from asn1crypto import x509 as asn1
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

NOW = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
BOTH = (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH)


def key() -> Key:
    return ec.generate_private_key(ec.SECP256R1())


def rsa_key(bits: int = 2048) -> Key:
    return rsa.generate_private_key(65537, bits)


@dataclass(frozen=True)
class Made:
    """A certificate with its key."""

    cert: x509.Certificate
    key: Key


@dataclass(frozen=True)
class Recipe:
    """A sound certificate by default, with a new key each time; each field spoils one thing."""

    name: str = "root"
    unit: str = "g1"
    own: Key | None = None
    ca: bool = True
    ca_critical: bool = True
    pathlen: int | None = None
    usage: bool = True
    begins: datetime = NOW - DAY
    ends: datetime = NOW + 100 * DAY
    ski: bool = True
    aki: bool = True
    eku: tuple[x509.ObjectIdentifier, ...] = ()
    sans: tuple[x509.GeneralName, ...] = ()
    extra: tuple[tuple[x509.ExtensionType, bool], ...] = ()
    hash: hashes.SHA224 | hashes.SHA256 = field(default_factory=hashes.SHA256)

    def but(self, **changes: object) -> Recipe:
        return replace(self, **changes)  # type: ignore[arg-type]

    def subject(self) -> x509.Name:
        if not self.name:
            return x509.Name([])
        return x509.Name(
            [
                x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, self.unit),
                x509.NameAttribute(NameOID.COMMON_NAME, self.name),
            ]
        )

    def root(self) -> Made:
        own = self.own or key()
        return self._signed(self.subject(), own, own)

    def under(self, signer: Made, *, signed_with: Key | None = None) -> Made:
        return self._signed(signer.cert.subject, signed_with or signer.key, self.own or key())

    def _signed(self, issuer: x509.Name, signer: Key, own: Key) -> Made:
        builder = (
            x509.CertificateBuilder()
            .subject_name(self.subject())
            .issuer_name(issuer)
            .public_key(own.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(self.begins)
            .not_valid_after(self.ends)
        )
        for value, critical in self._extensions(signer, own):
            builder = builder.add_extension(value, critical=critical)
        return Made(builder.sign(signer, self.hash), own)

    def _extensions(self, signer: Key, own: Key) -> list[tuple[x509.ExtensionType, bool]]:
        found: list[tuple[x509.ExtensionType, bool]] = [
            (x509.BasicConstraints(self.ca, self.pathlen if self.ca else None), self.ca_critical)
        ]
        if self.usage:
            found.append((usage(ca=self.ca), True))
        if self.ski:
            found.append((x509.SubjectKeyIdentifier.from_public_key(own.public_key()), False))
        if self.aki:
            found.append((x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), False))
        if self.eku:
            found.append((x509.ExtendedKeyUsage(self.eku), False))
        if self.sans:
            found.append((x509.SubjectAlternativeName(self.sans), not self.name))
        return [*found, *self.extra]


def version_1() -> Made:
    """A root without version and extensions. The library makes none: its own is taken apart and signed again."""
    made = ROOT.root()
    parsed = asn1.Certificate.load(made.cert.public_bytes(Encoding.DER))
    body = parsed["tbs_certificate"]
    body["version"] = "v1"
    body["extensions"] = None
    assert isinstance(made.key, ec.EllipticCurvePrivateKey)
    parsed["signature_value"] = made.key.sign(body.dump(force=True), ec.ECDSA(hashes.SHA256()))
    return Made(x509.load_der_x509_certificate(parsed.dump(force=True)), made.key)


def usage(*, ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not ca,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=ca,
        crl_sign=ca,
        encipher_only=False,
        decipher_only=False,
    )


ROOT = Recipe("root", "g1")
ISSUER = Recipe("issuer", "g1.1", pathlen=0, ends=NOW + 50 * DAY)
LEAF = Recipe(
    "",
    ca=False,
    eku=BOTH,
    ends=NOW + DAY,
    sans=(x509.UniformResourceIdentifier("spiffe://cluster.local/ns/shop/sa/web"),),
)
LINKERD_LEAF = LEAF.but(sans=(x509.DNSName("web.shop.serviceaccount.identity.linkerd.cluster.local"),))
