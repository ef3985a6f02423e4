"""Certificates for the simulated meshes' tests: the one place of these tests that mints."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from cryptography.hazmat.primitives.asymmetric import ec

from lab.mesh.certificates import Certificate, PublicKey, Signer, key_to_pem, to_pem
from pki.mint import Authority, Subject, mint_issuer, mint_trust_anchor

DAY = timedelta(days=1)


def now() -> datetime:
    return datetime.now(UTC)


def anchor(generation: int, lifetime: timedelta = 30 * DAY, *, at: datetime | None = None) -> Authority:
    return mint_trust_anchor(Subject("root.mesh", generation), lifetime, now=at or now())


def issuer(under: Authority, generation: int, lifetime: timedelta = 10 * DAY) -> Authority:
    return mint_issuer(Subject("issuer.mesh", generation), under, lifetime, now=now())


def signer(authority: Authority) -> Signer:
    return Signer(authority.certificate, authority.key)


def public_key() -> PublicKey:
    return ec.generate_private_key(ec.SECP256R1()).public_key()


def cacerts(signing: Authority, *roots: Authority) -> dict[str, bytes]:
    """The Secret ``cacerts`` of Istio by file name."""
    return {
        "ca-cert.pem": to_pem([signing.certificate]).encode(),
        "ca-key.pem": key_to_pem(signing.key).encode(),
        "root-cert.pem": pem(*roots).encode(),
        "cert-chain.pem": to_pem([signing.certificate]).encode(),
    }


def tls_secret(signing: Authority, root: Authority) -> dict[str, bytes]:
    """A Secret of type kubernetes.io/tls by file name."""
    return {
        "tls.crt": to_pem([signing.certificate]).encode(),
        "tls.key": key_to_pem(signing.key).encode(),
        "ca.crt": pem(root).encode(),
    }


def pem(*authorities: Authority) -> str:
    return to_pem(one.certificate for one in authorities)


def certificates(*authorities: Authority) -> tuple[Certificate, ...]:
    return tuple(one.certificate for one in authorities)
