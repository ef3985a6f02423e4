"""How Linkerd takes its trust: a ConfigMap with the anchors, a Secret with the issuer.

Anchors are read once: by the identity controller at its start, by a proxy from its environment, which the injector
fills from its own mounted file. So every change of the bundle restarts the control plane and then every meshed pod; a
proxy with an old bundle rejects its own new leaf and keeps the old one, in silence, until that runs out. The issuer
is watched, but the watcher can end on one error (linkerd2#15109), so the identity controller is restarted for that too.
Sources: linkerd2 pkg/identity, controller/proxy-injector;
linkerd.io tasks/manually-rotating-control-plane-tls-credentials.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from cryptography import x509

from pki.bundle import to_pem
from pki.material import IssuerMaterial
from roles.handover import Found, PublishedCopy, Told, certificates, decoded, encoded
from rollout.model.role import Json
from rollout.model.trust import Socket, TrustWay, Workload

ANCHORS = "linkerd-identity-trust-roots"
BUNDLE = "ca-bundle.crt"
ISSUER = "linkerd-identity-issuer"
INBOUND = 4143
CONTROL_PLANE = ("linkerd-identity", "linkerd-destination", "linkerd-proxy-injector")


def way(namespace: str) -> TrustWay:
    return TrustWay(
        socket=Socket(INBOUND, (), "{identity}"),
        restart_for_trust=True,
        restart_for_leaf=True,
        control_plane=tuple(Workload("Deployment", namespace, name) for name in CONTROL_PLANE),
    )


@dataclass(frozen=True, slots=True)
class LinkerdTrust:
    """Implements :class:`roles.handover.ObjectTrust`."""

    namespace: str

    @property
    def _anchors(self) -> str:
        return f"/api/v1/namespaces/{self.namespace}/configmaps/{ANCHORS}"

    @property
    def _issuer(self) -> str:
        return f"/api/v1/namespaces/{self.namespace}/secrets/{ISSUER}"

    @property
    def reads(self) -> tuple[str, ...]:
        return (self._anchors, self._issuer)

    @property
    def copies_at(self) -> tuple[str, ...]:
        return ()

    def told(self, found: Found) -> Told:
        text = ((found[self._anchors] or {}).get("data") or {}).get(BUNDLE) or ""
        own = certificates(decoded(found[self._issuer], "tls.crt"), f"{self._issuer}: tls.crt")
        return Told(certificates(text, f"{self._anchors}: {BUNDLE}"), own[0] if own else None)

    def copies(self, found: Found) -> tuple[PublishedCopy, ...]:
        del found
        return ()

    def objects(
        self, bundle: Iterable[x509.Certificate], issuer: x509.Certificate, material: IssuerMaterial
    ) -> tuple[Json, ...]:
        """Anchors first: an issuer that they do not verify is refused. ``ca.crt`` is what ``linkerd check`` reads."""
        del issuer
        anchors = to_pem(bundle)
        data = {
            "tls.crt": encoded(material.chain_pem),
            "tls.key": encoded(material.key_pem),
            "ca.crt": encoded(anchors),
        }
        secret = {"name": ISSUER, "namespace": self.namespace}
        return (
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace}},
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": ANCHORS, "namespace": self.namespace},
                "data": {BUNDLE: anchors},
            },
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "type": "kubernetes.io/tls",
                "metadata": secret,
                "data": data,
            },
        )
