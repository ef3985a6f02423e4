"""What a home gives out: certificates as values, and an issuer's key as text that exists in memory only."""

from __future__ import annotations

from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat


@dataclass(frozen=True, slots=True)
class IssuerCert:
    """An issuer of a generation; numbers start at 1 and are never used twice in it."""

    number: int
    certificate: x509.Certificate


@dataclass(frozen=True, slots=True)
class Generation:
    """One trust anchor and the issuers that were minted under it, oldest first."""

    number: int
    anchor: x509.Certificate
    issuers: tuple[IssuerCert, ...]

    def issuer(self, number: int) -> IssuerCert | None:
        return next((each for each in self.issuers if each.number == number), None)


@dataclass(frozen=True, slots=True, repr=False)
class IssuerMaterial:
    """What a mesh signs with: the issuer's certificate (no anchor in it) and its key in PEM, unencrypted.

    For a Secret and nothing else: not for a plan, a journal, a file or a log. Its repr shows no key.
    """

    chain_pem: str
    key_pem: bytes

    def __repr__(self) -> str:
        return f"IssuerMaterial(chain of {len(self.chain_pem)} characters, key not shown)"


def key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """SEC 1 (``EC PRIVATE KEY``): Linkerd, Istio and Consul all read it."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
