"""Linkerd's identity controller and its proxies, for trust alone. Pure. SIMULATED.

The trap of this mesh: anchors are read once, by the controller at its start and by each proxy from its environment. A
proxy that was injected with the old bundle rejects its own new leaf and says nothing until the old one has expired.
Source: linkerd2 pkg/identity/service.go, pkg/issuercerts; linkerd2-proxy identity client, its store and certify.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from lab.mesh.certificates import (
    Certificate,
    Profile,
    PublicKey,
    Refused,
    Signer,
    bundle,
    chain_fault,
    dns_names_of,
    is_authority,
    matches,
    read_key,
    sign_leaf,
    uris_of,
)

SKEW = timedelta(seconds=20)
RENEWS_AT = 0.7
SKIPPED, UPDATED, INVALID = "IssuerUpdateSkipped", "IssuerUpdated", "IssuerValidationFailed"


def load_issuer(files: Mapping[str, bytes], anchors: Sequence[Certificate], now: datetime) -> Signer:
    """The Secret ``linkerd-identity-issuer``, scheme kubernetes.io/tls; ``ca.crt`` is not looked at. Raises Refused."""
    missing = [name for name in ("tls.crt", "tls.key") if name not in files]
    if missing:
        raise Refused(f"failed to read CA from disk: {', '.join(missing)} missing")
    chain = bundle(files["tls.crt"])
    if not chain:
        raise Refused("failed to read CA from disk: tls.crt is empty")
    certificate, key = chain[0], read_key(files["tls.key"])
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise Refused("the issuer's key must be ECDSA P-256")
    if not matches(key, certificate):
        raise Refused("the issuer's key does not belong to its certificate")
    signer = Signer(certificate, key, chain[1:])
    fault = issuer_fault(signer, anchors, now)
    if fault:
        raise Refused(f"failed to verify issuer credentials with trust anchors: {fault}")
    return signer


def issuer_fault(issuer: Signer, anchors: Sequence[Certificate], now: datetime) -> str:
    """Asked again before each leaf: an issuer can expire while it is in use."""
    if not is_authority(issuer.certificate):
        return "the issuer is not a CA"
    return chain_fault(issuer.certificate, issuer.chain, anchors, now)


def identity(trust_domain: str, namespace: str, account: str) -> str:
    return f"{account}.{namespace}.serviceaccount.identity.linkerd.{trust_domain}"


def request_fault(request: x509.CertificateSigningRequest, name: str) -> str:
    """Exactly one DNS name, the identity, and no URI."""
    try:
        names = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return "CSR must have exactly one DNSName"
    dns = names.get_values_for_type(x509.DNSName)
    if dns != [name] or len(list(names)) != 1:
        return f"CSR must have exactly one DNSName, {name}, and nothing else"
    return ""


def certify(
    issuer: Signer, key: PublicKey, name: str, lifetime: timedelta, now: datetime
) -> tuple[Certificate, ...]:
    profile = Profile(name, (x509.DNSName(name),), lifetime + SKEW, SKEW)
    return sign_leaf(issuer, key, profile, now)


def leaf_fault(chain: Sequence[Certificate], anchors: Sequence[Certificate], name: str, now: datetime) -> str:
    """Why a proxy does not install the leaf that it was given; empty when it does (linkerd2-proxy, store.rs)."""
    if dns_names_of(chain[0]) != (name,) or uris_of(chain[0]):
        return f"the leaf is not for {name} alone"
    return chain_fault(chain[0], chain[1:], anchors, now)


def renewal(leaf: Certificate, now: datetime) -> timedelta:
    """How long until the proxy asks for the next one."""
    return max((leaf.not_valid_after_utc - now) * RENEWS_AT, timedelta(seconds=1))
