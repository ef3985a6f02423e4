"""What a workload holds after it asked its mesh for a certificate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

Key = ec.EllipticCurvePrivateKey
Certificates = tuple[x509.Certificate, ...]

_PEM = serialization.Encoding.PEM


@dataclass(frozen=True, slots=True)
class Workload:
    """A Kubernetes service account; a Consul service is known by ``account`` alone."""

    namespace: str
    account: str


@dataclass(frozen=True, slots=True, repr=False)
class Leaf:
    """``chain`` as it is sent, own certificate first; ``roots`` are what its holder believes of others."""

    chain: Certificates
    roots: Certificates
    key: Key

    @property
    def certificate(self) -> x509.Certificate:
        return self.chain[0]

    @property
    def names(self) -> tuple[str, ...]:
        """Its identities: SPIFFE URIs, then DNS names."""
        found = self.certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        uris = found.get_values_for_type(x509.UniformResourceIdentifier)
        return (*uris, *found.get_values_for_type(x509.DNSName))

    @property
    def roots_pem(self) -> str:
        return pem(self.roots)

    def under(self, anchor: x509.Certificate) -> bool:
        """Whether who believes in ``anchor`` alone believes this chain: signatures only, no dates."""
        return any(
            _issued(below, anchor) and all(_issued(a, b) for a, b in _links(self.chain[: at + 1]))
            for at, below in enumerate(self.chain)
        )

    def __repr__(self) -> str:
        return (
            f"Leaf({', '.join(self.names)}, until {self.certificate.not_valid_after_utc:%Y-%m-%dT%H:%M:%SZ})"
        )


def new_key() -> Key:
    return ec.generate_private_key(ec.SECP256R1())


def request(key: Key, name: x509.GeneralName) -> x509.CertificateSigningRequest:
    """A CSR with this one subject alternative name and an empty subject, as the meshes' proxies send it."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    return builder.add_extension(x509.SubjectAlternativeName([name]), critical=False).sign(
        key, hashes.SHA256()
    )


def pem(certificates: Sequence[x509.Certificate]) -> str:
    return "".join(certificate.public_bytes(_PEM).decode() for certificate in certificates)


def key_pem(key: Key) -> str:
    """Unencrypted PKCS #8: for a signer's Secret, or for a file that only its owner reads. Never for a log."""
    plain = serialization.NoEncryption()
    return key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, plain).decode()


def _links(chain: Certificates) -> Sequence[tuple[x509.Certificate, x509.Certificate]]:
    return list(pairwise(chain))


def _issued(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True
