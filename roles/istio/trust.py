"""How Istio takes its trust: the Secret ``cacerts``, written as a whole.

istiod watches its mounted copy, which its kubelet brings up to date within a minute or two, each replica's in its own
time, and nothing outside says when: so istiod is restarted, for a pod starts with what the Secret says then. Without
that, a proxy that is restarted at once gets the old issuer's leaf again, and keeps it for hours.

A changed root is taken only with ISTIO_MULTIROOT_MESH and only where the old set is part of the
new one or the other way round; versions 1.22 to 1.29.0 compare bytes, so the bundle grows at its end
(istio/istio#59909). A sidecar gets its roots with the answer to a signing request; with PROXY_CONFIG_XDS_AGENT
istiod pushes them and the proxy renews its leaf at once. Changing the signer alone pushes nothing: leaves stay the old
issuer's until half of their life is over. ztunnel learns roots from signing answers only.
Sources: istio security/pkg/pki/ca, security/pkg/nodeagent/cache (docs/pki.md).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from cryptography import x509

from pki.bundle import to_pem
from pki.errors import PkiError
from pki.material import IssuerMaterial
from roles.handover import Found, PublishedCopy, Told, certificates, decoded, encoded
from rollout.model.role import Json
from rollout.model.trust import Socket, TrustWay, Workload

CACERTS = "cacerts"
ROOT = "root-cert.pem"
COPY = "istio-ca-root-cert"
APP_PORT = 0
HBONE = 15008
REDIRECTED = ("ambient.istio.io/redirection", "enabled")
"""What istio-cni writes on a pod once its traffic goes through ztunnel (istio cni/pkg/util)."""

PEERS = ("istio-peer-exchange", "istio")

_ADMISSION = "/apis/admissionregistration.k8s.io/v1"
WEBHOOKS = (
    f"{_ADMISSION}/mutatingwebhookconfigurations?labelSelector=app=sidecar-injector",
    f"{_ADMISSION}/validatingwebhookconfigurations?labelSelector=app=istiod",
)

LATE_LEAVES = (
    "istio: changing the signer pushes nothing; a leaf that is not renewed by a restart stays the old issuer's for "
    "half of its life [istio security/pkg/nodeagent/cache]"
)


def sidecar_way(namespace: str, *, pushed: bool) -> TrustWay:
    """``pushed``: PROXY_CONFIG_XDS_AGENT is on, so a new bundle reaches proxies without a restart."""
    return TrustWay(
        socket=Socket(APP_PORT, PEERS),
        restart_for_trust=not pushed,
        restart_for_leaf=True,
        control_plane=_istiod(namespace),
        notes=(LATE_LEAVES,),
    )


def ambient_way(namespace: str) -> TrustWay:
    return TrustWay(
        socket=Socket(HBONE, ("h2",)),
        restart_for_trust=True,
        restart_for_leaf=True,
        control_plane=_istiod(namespace),
        agent="ztunnel",
        agent_mark=REDIRECTED,
        notes=(LATE_LEAVES,),
    )


def _istiod(namespace: str) -> tuple[Workload, ...]:
    """Of every revision: all of them read the one Secret."""
    return (Workload("Deployment", namespace, "istiod", "app=istiod"),)


@dataclass(frozen=True, slots=True)
class IstioTrust:
    """Implements :class:`roles.handover.ObjectTrust`."""

    namespace: str

    @property
    def _path(self) -> str:
        return f"/api/v1/namespaces/{self.namespace}/secrets/{CACERTS}"

    @property
    def reads(self) -> tuple[str, ...]:
        return (self._path,)

    @property
    def copies_at(self) -> tuple[str, ...]:
        """istiod writes one ConfigMap into every namespace, by which sidecars verify istiod itself, and its own bundle
        into its webhooks, by which the API server does (one that is left behind: istio#60446, #61779)."""
        return (f"/api/v1/configmaps?fieldSelector=metadata.name={COPY}", *WEBHOOKS)

    def told(self, found: Found) -> Told:
        secret = found[self._path]
        if decoded(secret, "tls.crt"):
            raise PkiError(
                "it holds tls.crt: istiod then signs with that and its ca.crt, and reads none of ours",
                where=self._path,
                hint="take tls.crt, tls.key and ca.crt out of the Secret, or let what writes them rotate the CA",
            )
        own = certificates(decoded(secret, "ca-cert.pem"), f"{self._path}: ca-cert.pem")
        bundle = certificates(decoded(secret, ROOT), f"{self._path}: {ROOT}")
        return Told(bundle, own[0] if own else None)

    def copies(self, found: Found) -> tuple[PublishedCopy, ...]:
        maps, *webhooks = (found[path] for path in self.copies_at)
        hooks = (copy for listed in webhooks for copy in _webhooks(listed, self.namespace))
        return (*_copies(maps), *hooks)

    def objects(
        self, bundle: Iterable[x509.Certificate], issuer: x509.Certificate, material: IssuerMaterial
    ) -> tuple[Json, ...]:
        """``cert-chain.pem`` goes from the issuer towards its root and leaves the root out."""
        del issuer
        data = {
            "ca-cert.pem": encoded(material.chain_pem),
            "ca-key.pem": encoded(material.key_pem),
            "cert-chain.pem": encoded(material.chain_pem),
            ROOT: encoded(to_pem(bundle)),
        }
        meta = {"name": CACERTS, "namespace": self.namespace}
        return (
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace}},
            {"apiVersion": "v1", "kind": "Secret", "type": "Opaque", "metadata": meta, "data": data},
        )


def _copies(listed: Json | None) -> Iterator[PublishedCopy]:
    for item in (listed or {}).get("items") or ():
        where = f"ConfigMap {item['metadata']['namespace']}/{COPY}"
        yield PublishedCopy(where, certificates((item.get("data") or {}).get(ROOT) or "", where))


def _webhooks(listed: Json | None, namespace: str) -> Iterator[PublishedCopy]:
    """One copy for each configuration that calls this istiod; an empty caBundle is the API server's own roots."""
    for item in (listed or {}).get("items") or ():
        where = f"webhooks {item['metadata']['name']}"
        found: dict[x509.Certificate, None] = {}
        for hook in item.get("webhooks") or ():
            service = (hook.get("clientConfig") or {}).get("service") or {}
            text = decoded({"data": hook.get("clientConfig") or {}}, "caBundle")
            if service.get("namespace") == namespace and text.strip():
                found |= dict.fromkeys(certificates(text, f"{where}: {hook.get('name')}"))
        if found:
            yield PublishedCopy(where, tuple(found))
