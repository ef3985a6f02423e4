"""istiod's CA on plugged-in certificates, for trust alone. Pure. SIMULATED.

Two traps are kept because a rotation must get round them. A root change is taken only with ISTIO_MULTIROOT_MESH, and
only when one set of roots holds the other: a swap is refused with a warning that nobody reads, and the old stays. And
a change of signer that leaves the roots as they are is pushed to nobody: leaves stay until their half-life.
Source: istio 1.30 pilot/pkg/bootstrap/istio_ca.go, security/pkg/nodeagent/cache, security/pkg/pki.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509

from lab.mesh.certificates import (
    Certificate,
    Profile,
    PublicKey,
    Refused,
    Signer,
    bundle,
    chain_fault,
    fingerprints,
    is_authority,
    matches,
    read_key,
    sign_leaf,
)

BACKDATED = timedelta(minutes=2)
DNS_LIFETIME = timedelta(days=365)
SERVICE = "istiod.istio-system.svc"
_PLUGGED = ("ca-cert.pem", "ca-key.pem", "root-cert.pem", "cert-chain.pem")
_TLS = ("tls.crt", "tls.key", "ca.crt")
_SET_COMPARED_SINCE = (1, 29, 1)
"""Before it, one bundle's bytes had to be a piece of the other's: roots could only be appended (istio#59909)."""


@dataclass(frozen=True, slots=True)
class Authority:
    """What istiod signs with and whom it tells everybody to trust. ``roots_pem`` is the file as it is."""

    signer: Signer
    roots: tuple[Certificate, ...]
    roots_pem: str


def load(files: Mapping[str, bytes], now: datetime) -> Authority:
    """The Secret ``cacerts`` by file name. With ``tls.crt`` in it only tls.crt, tls.key and ca.crt count.

    Raises :class:`Refused`: the set must be complete, the key must fit, the chain must lead to the roots.
    """
    certificate_pem, key_pem, roots_pem, chain_pem = _parts(files)
    own = bundle(certificate_pem)
    if not own:
        raise Refused("the CA certificate is empty")
    certificate, key, roots = own[0], read_key(key_pem), bundle(roots_pem)
    between = tuple(one for one in (*own[1:], *bundle(chain_pem)) if one != certificate)
    if not is_authority(certificate):
        raise Refused("the CA certificate is not a CA")
    if not matches(key, certificate):
        raise Refused("the CA key does not belong to the CA certificate")
    fault = chain_fault(certificate, between, roots, now)
    if fault:
        raise Refused(f"the CA certificate does not lead to a root: {fault}")
    sent = tuple(one for one in between if one not in roots)
    return Authority(Signer(certificate, key, sent), roots, roots_pem.decode())


def _parts(files: Mapping[str, bytes]) -> tuple[bytes, bytes, bytes, bytes]:
    wanted = _TLS if "tls.crt" in files else _PLUGGED
    missing = [name for name in wanted if name not in files]
    if missing:
        raise Refused(f"cacerts is incomplete: {', '.join(missing)} missing")
    found = [files[name] for name in wanted]
    return found[0], found[1], found[2], found[3] if len(found) > 3 else b""


def root_change_fault(old: Authority, new: Authority, *, multiroot: bool, version: str) -> str:
    """Why istiod keeps its old CA although the new one is sound; empty when it takes the new one."""
    before, after = fingerprints(old.roots), fingerprints(new.roots)
    if before == after and old.roots_pem.strip() == new.roots_pem.strip():
        return ""
    if not multiroot:
        return "root certificate changed, and ISTIO_MULTIROOT_MESH is not true"
    if _number(version) < _SET_COMPARED_SINCE:
        one, other = old.roots_pem.strip(), new.roots_pem.strip()
        held = one in other or other in one
    else:
        held = before <= after or after <= before
    return "" if held else "the new roots neither hold the old ones nor are held by them"


def _number(version: str) -> tuple[int, ...]:
    """The version in an image tag; one that says nothing counts as new."""
    parts = version.partition("-")[0].split(".")
    return tuple(map(int, parts)) if all(part.isdigit() for part in parts) else (99,)


def identity(trust_domain: str, namespace: str, account: str) -> str:
    return f"spiffe://{trust_domain}/ns/{namespace}/sa/{account}"


def workload(name: str, lifetime: timedelta) -> Profile:
    return Profile("", (x509.UniformResourceIdentifier(name),), lifetime, BACKDATED)


def certify(
    authority: Authority, key: PublicKey, name: str, lifetime: timedelta, now: datetime
) -> tuple[Certificate, ...]:
    """Leaf, intermediates. The roots travel apart, as the last element of the answer."""
    return sign_leaf(authority.signer, key, workload(name, lifetime), now)


def own_certificate(authority: Authority, key: PublicKey, now: datetime) -> tuple[Certificate, ...]:
    """istiod's DNS certificate, from its own CA: proxies meet it before they have anything but the mounted root."""
    names = (SERVICE, "istiod.istio-system.svc.cluster.local", "istiod.istio-system")
    profile = Profile("", tuple(x509.DNSName(name) for name in names), DNS_LIFETIME, BACKDATED)
    return sign_leaf(authority.signer, key, profile, now)
