"""What each mesh demands of its certificates, as values: names, algorithms, lifetimes, leaf identities.

Sources: linkerd2 pkg/issuercerts (anchor P-256 or RSA 2048/4096, issuer P-256 only; a leaf has exactly one DNS SAN);
istio security/pkg (RSA or EC; SPIFFE URI SAN); Consul's documentation of connect CA (URI SAN
``spiffe://<cluster-id>.consul`` in the root; the built-in provider signs leaves with the root).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from pki.errors import PkiError

DAY = timedelta(days=1)
YEAR = 365 * DAY

P256, P384, P521 = "EC P-256", "EC P-384", "EC P-521"
RSA_2048, RSA_3072, RSA_4096 = "RSA 2048", "RSA 3072", "RSA 4096"
ANY = frozenset({P256, P384, P521, RSA_2048, RSA_3072, RSA_4096})


class LeafSan(StrEnum):
    """How a leaf says who it is."""

    URI = "uri"
    DNS = "dns"


@dataclass(frozen=True, slots=True)
class Identity:
    """Whom a leaf is for: a service account (Istio, Linkerd), or for Consul a service in a namespace."""

    namespace: str
    account: str


@dataclass(frozen=True, slots=True)
class Profile:
    """One mesh kind in one trust domain.

    ``anchor_keys`` and ``issuer_keys`` are the algorithms that the mesh takes; rackroll itself mints P-256 only.
    ``leaf`` is the form of a leaf identity, with {td}, {ns} and {sa}; None where upstream documents none, and then
    there are no canaries. ``root_signs_leaves``: the mesh needs the root's key itself (Consul's built-in provider).
    """

    kind: str
    trust_domain: str
    anchor_common_name: str
    issuer_common_name: str
    anchor_uri: str | None
    anchor_keys: frozenset[str]
    issuer_keys: frozenset[str]
    anchor_lifetime: timedelta
    issuer_lifetime: timedelta
    leaf_lifetime: timedelta
    leaf_san: LeafSan
    leaf: str | None
    root_signs_leaves: bool = False

    def leaf_name(self, identity: Identity) -> str:
        """The SAN of a leaf for ``identity``. Raises PkiError where this mesh's leaves are not known."""
        if self.leaf is None:
            raise PkiError(f"no leaf identity is known for {self.kind}", hint="check this mesh by hand")
        return self.leaf.format(td=self.trust_domain, ns=identity.namespace, sa=identity.account)


def profile(kind: str, trust_domain: str) -> Profile:
    """The profile of a mesh kind (``istio``, ``linkerd``, ``consul``, ``cilium``) in ``trust_domain``.

    Raises PkiError for another kind, and for a Consul trust domain that is not ``<cluster-id>.consul``.
    """
    make = _KINDS.get(kind)
    if make is None:
        raise PkiError(f"no PKI profile for '{kind}'", hint=f"one of: {', '.join(sorted(_KINDS))}")
    return make(trust_domain)


def _common_name(prefix: str, td: str) -> str:
    """X.520 allows 64 characters, a trust domain may have 253. The name is for people: SKI and AKI make the chain."""
    return f"{prefix}.{td}"[:64]


def _istio(td: str) -> Profile:
    return Profile(
        kind="istio",
        trust_domain=td,
        anchor_common_name=_common_name("root.istio", td),
        issuer_common_name=_common_name("issuer.istio", td),
        anchor_uri=None,
        anchor_keys=ANY,
        issuer_keys=ANY,
        anchor_lifetime=10 * YEAR,
        issuer_lifetime=YEAR,
        leaf_lifetime=DAY,
        leaf_san=LeafSan.URI,
        leaf="spiffe://{td}/ns/{ns}/sa/{sa}",
    )


def _linkerd(td: str) -> Profile:
    return Profile(
        kind="linkerd",
        trust_domain=td,
        anchor_common_name=_common_name("root.linkerd", td),
        issuer_common_name=_common_name("identity.linkerd", td),
        anchor_uri=None,
        anchor_keys=frozenset({P256, RSA_2048, RSA_4096}),
        issuer_keys=frozenset({P256}),
        anchor_lifetime=10 * YEAR,
        issuer_lifetime=YEAR,
        leaf_lifetime=DAY,
        leaf_san=LeafSan.DNS,
        leaf="{sa}.{ns}.serviceaccount.identity.linkerd.{td}",
    )


def _consul(td: str) -> Profile:
    """``LeafCertTTL`` below 3.5 days: Consul prunes the old root after twice that, its cross-signature ends at 7."""
    if not td.endswith(".consul") or td == ".consul":
        raise PkiError(
            f"Consul's trust domain is <cluster-id>.consul, not '{td}'",
            hint="take the cluster id from the TrustDomain that /v1/connect/ca/roots shows",
        )
    return Profile(
        kind="consul",
        trust_domain=td,
        anchor_common_name=_common_name("root", td),
        issuer_common_name=_common_name("issuer", td),
        anchor_uri=f"spiffe://{td}",
        anchor_keys=ANY,
        issuer_keys=ANY,
        anchor_lifetime=10 * YEAR,
        issuer_lifetime=YEAR,
        leaf_lifetime=3 * DAY,
        leaf_san=LeafSan.URI,
        leaf="spiffe://{td}/ns/{ns}/dc/dc1/svc/{sa}",
        root_signs_leaves=True,
    )


def _cilium(td: str) -> Profile:
    """``cilium-ca`` signs Hubble's and Cluster Mesh's certificates itself; upstream documents no leaf identity."""
    return Profile(
        kind="cilium",
        trust_domain=td,
        anchor_common_name=_common_name("root.cilium", td),
        issuer_common_name=_common_name("issuer.cilium", td),
        anchor_uri=None,
        anchor_keys=ANY,
        issuer_keys=ANY,
        anchor_lifetime=3 * YEAR,
        issuer_lifetime=YEAR,
        leaf_lifetime=YEAR,
        leaf_san=LeafSan.DNS,
        leaf=None,
    )


_KINDS = {"istio": _istio, "linkerd": _linkerd, "consul": _consul, "cilium": _cilium}
