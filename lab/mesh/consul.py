"""The built-in CA of Consul's servers as a value: configure, sign, prune. Pure. SIMULATED.

A new root is cross-signed by the old one for seven days, and every leaf carries that certificate, so that a proxy that
has not heard of the new root still verifies. Forced without cross-signing, it does not: that is the break.
Source: consul agent/consul/leader_connect_ca.go, agent/connect/ca/provider_consul.go, agent/leafcert.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from lab.mesh.certificates import (
    Certificate,
    Profile,
    PublicKey,
    Refused,
    Signer,
    bundle,
    cross_sign,
    is_authority,
    key_to_pem,
    matches,
    mint_root,
    read_key,
    sign_leaf,
    to_pem,
)

BACKDATED = timedelta(minutes=1)
CROSS_SIGNED_FOR = timedelta(days=7)
ROOT_LIFETIME = timedelta(days=3650)
PROVIDER = "consul"
_DATACENTER = "dc1"


@dataclass(frozen=True, slots=True, repr=False)
class Root:
    """``key_pem`` is kept for the active root alone; ``rotated_out`` is seconds of the epoch."""

    certificate_pem: str
    key_pem: str
    intermediates: tuple[str, ...]
    active: bool
    rotated_out: float | None
    created: int

    @property
    def certificate(self) -> Certificate:
        return bundle(self.certificate_pem)[0]

    @property
    def id(self) -> str:
        """As Consul writes it: SHA-1 with colons."""
        return ":".join(f"{byte:02x}" for byte in self.certificate.fingerprint(hashes.SHA1()))  # noqa: S303

    def __repr__(self) -> str:
        return f"Root({self.id}, active={self.active})"


@dataclass(frozen=True, slots=True)
class State:
    """``index`` grows with each change, as Consul's; roots are in the order in which they came."""

    cluster_id: str
    leaf_seconds: float
    index: int
    roots: tuple[Root, ...]

    @property
    def trust_domain(self) -> str:
        return f"{self.cluster_id}.consul"

    @property
    def active(self) -> Root:
        return next(root for root in self.roots if root.active)


def begun(cluster_id: str, leaf_seconds: float, now: datetime) -> State:
    """A cluster's first start: servers mint a root for themselves."""
    key = ec.generate_private_key(ec.SECP256R1())
    root = mint_root("Consul CA Root Cert", f"spiffe://{cluster_id}.consul", key, ROOT_LIFETIME, now=now)
    return State(cluster_id, leaf_seconds, 10, (Root(to_pem([root]), key_to_pem(key), (), True, None, 10),))


def configured(state: State, body: Mapping[str, Any], now: datetime) -> State:
    """PUT /v1/connect/ca/configuration. Raises :class:`Refused` and then changes nothing.

    Without PrivateKey and RootCert only the TTL changes. Upstream's floor of an hour for LeafCertTTL is not kept.
    """
    if body.get("Provider", PROVIDER) != PROVIDER:
        raise Refused(f"the lab's Consul knows the provider {PROVIDER} only, not {body['Provider']}")
    config = body.get("Config") or {}
    ttl = config.get("LeafCertTTL")
    leaf = state.leaf_seconds if ttl is None else seconds(str(ttl))
    changed = replace(state, leaf_seconds=leaf, index=state.index + 1)
    key_pem, root_pem = config.get("PrivateKey") or "", config.get("RootCert") or ""
    if not key_pem and not root_pem:
        return changed
    key, root = _root(state, key_pem, root_pem, now)
    if root == state.active.certificate:
        return changed
    return _rotated(changed, key, root, crossed=not body.get("ForceWithoutCrossSigning"), now=now)


def _root(state: State, key_pem: str, root_pem: str, now: datetime) -> tuple[str, Certificate]:
    if not key_pem:
        raise Refused("must provide a private key when providing a root cert")
    key = read_key(key_pem)
    if not root_pem:
        uri = f"spiffe://{state.trust_domain}"
        return key_pem, mint_root("Consul CA Root Cert", uri, key, ROOT_LIFETIME, now=now)
    found = bundle(root_pem)
    if len(found) != 1 or not is_authority(found[0]):
        raise Refused("RootCert must be one CA certificate")
    if not matches(key, found[0]):
        raise Refused("provided key and root cert are not a pair")
    return key_pem, found[0]


def _rotated(state: State, key_pem: str, root: Certificate, *, crossed: bool, now: datetime) -> State:
    old = state.active
    between: tuple[str, ...] = ()
    if crossed:
        signer = Signer(old.certificate, read_key(old.key_pem))
        between = (to_pem([cross_sign(root, signer, CROSS_SIGNED_FOR, BACKDATED, now=now)]),)
    retired = replace(old, active=False, rotated_out=now.timestamp(), key_pem="")
    new = Root(to_pem([root]), key_pem, between, True, None, state.index)
    kept = tuple(retired if one is old else one for one in state.roots if one.certificate != root)
    return replace(state, roots=(*kept, new))


def pruned(state: State, now: datetime) -> State:
    """Roots go when they were rotated out twice the leaf's lifetime ago. Upstream looks once an hour."""
    oldest = now.timestamp() - 2 * state.leaf_seconds
    kept = tuple(r for r in state.roots if r.active or r.rotated_out is None or r.rotated_out >= oldest)
    return state if kept == state.roots else replace(state, roots=kept, index=state.index + 1)


def service_uri(trust_domain: str, service: str) -> str:
    return f"spiffe://{trust_domain}/ns/default/dc/{_DATACENTER}/svc/{service}"


def certify(state: State, service: str, key: PublicKey, now: datetime) -> tuple[Certificate, ...]:
    """The leaf, then the cross-signed certificates of the active root; the root itself is not sent."""
    active = state.active
    name = x509.UniformResourceIdentifier(service_uri(state.trust_domain, service))
    profile = Profile("", (name,), timedelta(seconds=state.leaf_seconds), BACKDATED)
    leaf = sign_leaf(Signer(active.certificate, read_key(active.key_pem)), key, profile, now)[0]
    return leaf, *(one for pem in active.intermediates for one in bundle(pem))


def roots_document(state: State) -> dict[str, Any]:
    """GET /v1/connect/ca/roots."""
    return {
        "ActiveRootID": state.active.id,
        "TrustDomain": state.trust_domain,
        "Roots": [_shown(state, root) for root in state.roots],
    }


def _shown(state: State, root: Root) -> dict[str, Any]:
    certificate = root.certificate
    return {
        "ID": root.id,
        "Name": "Consul CA Primary Cert",
        "SerialNumber": certificate.serial_number,
        "ExternalTrustDomain": state.cluster_id,
        "NotBefore": _time(certificate.not_valid_before_utc),
        "NotAfter": _time(certificate.not_valid_after_utc),
        "RootCert": root.certificate_pem,
        "IntermediateCerts": list(root.intermediates),
        "Active": root.active,
        "CreateIndex": root.created,
        "ModifyIndex": state.index,
    }


def configuration_document(state: State) -> dict[str, Any]:
    """GET /v1/connect/ca/configuration. The private key is left out, which upstream does not do for its own."""
    config = {"LeafCertTTL": f"{state.leaf_seconds:g}s", "RootCert": state.active.certificate_pem}
    return {"Provider": PROVIDER, "Config": config, "State": None, "ModifyIndex": state.index}


def leaf_document(state: State, service: str, chain: tuple[Certificate, ...], key_pem: str) -> dict[str, Any]:
    """GET /v1/agent/connect/ca/leaf/<service>: an agent makes the key and hands it out with the leaf."""
    return {
        "SerialNumber": f"{chain[0].serial_number:x}",
        "CertPEM": to_pem(chain),
        "PrivateKeyPEM": key_pem,
        "Service": service,
        "ServiceURI": service_uri(state.trust_domain, service),
        "ValidAfter": _time(chain[0].not_valid_before_utc),
        "ValidBefore": _time(chain[0].not_valid_after_utc),
        "ModifyIndex": state.index,
    }


def dump(state: State) -> str:
    """With the active root's key: for a file of mode 0600 alone."""
    return json.dumps(asdict(state))


def load(text: str) -> State:
    raw = json.loads(text)
    roots = tuple(Root(**{**root, "intermediates": tuple(root["intermediates"])}) for root in raw["roots"])
    return State(raw["cluster_id"], raw["leaf_seconds"], raw["index"], roots)


def seconds(duration: str) -> float:
    """A Go duration such as ``72h`` or ``1m30s``, or a bare number of seconds. Raises :class:`Refused`."""
    units = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
    if re.fullmatch(r"\d+(\.\d+)?", duration):
        return float(duration)
    if not re.fullmatch(r"(\d+(\.\d+)?(ms|h|m|s))+", duration):
        raise Refused(f"{duration!r} is not a duration such as 72h")
    return sum(float(n) * units[u] for n, u in re.findall(r"(\d+(?:\.\d+)?)(ms|h|m|s)", duration))


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
