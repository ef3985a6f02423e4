"""What a gateway's own Envoy holds: it takes no mesh connections, so no handshake shows its leaf.

Read from the live process (``config_dump`` of its secrets, as `istioctl proxy-config secret` does), never from a
Secret. Envoy redacts private keys in it. One without mesh certificates is no party to the mesh's trust, and named.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from cryptography import x509

from pki.bundle import read_pem
from pki.errors import PkiError
from pki.fingerprint import fingerprint
from pki.rotation.sighting import Party
from rollout.adapters.kube.api import KubeApi
from rollout.adapters.kube.execute import Container, run_in_container
from rollout.adapters.trust.census import KnownIssuer, live_leaf, party_of
from rollout.adapters.trust.members import Member
from rollout.errors import RackrollError

ASK = ("pilot-agent", "request", "GET", "config_dump?resource=dynamic_active_secrets")


@dataclass(frozen=True, slots=True)
class Envoy:
    api: KubeApi
    racks: Mapping[str, str]

    def party(self, member: Member, issuers: Sequence[KnownIssuer]) -> Party:
        """One that does not answer is unseen, and says why."""
        party = party_of(member, self.racks)
        target = Container(member.namespace, member.name, member.container)
        try:
            secrets = list(_secrets(json.loads(run_in_container(self.api, target, ASK))))
        except RackrollError as error:
            return replace(party, silent=error.message)
        except (ValueError, PkiError) as error:
            return replace(party, silent=f"its Envoy's secrets cannot be read: {error}")
        if not secrets:
            return replace(party, uncertified=True)
        chain = next((certs for kind, certs in secrets if kind == "leaf"), ())
        roots = [cert for kind, certs in secrets if kind == "roots" for cert in certs]
        leaf = live_leaf(base64.b64encode(_der(chain[0])).decode(), issuers) if chain else None
        trusts = frozenset(fingerprint(cert) for cert in roots) if roots else None
        silent = "" if leaf and trusts else "its Envoy holds only a part"
        return replace(party, leaf=leaf, trusts=trusts, silent=silent)


def _der(certificate: x509.Certificate) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding

    return certificate.public_bytes(Encoding.DER)


def _secrets(dump: Any) -> Iterator[tuple[str, tuple[x509.Certificate, ...]]]:
    for config in dump.get("configs") or ():
        secret = config.get("secret") or {}
        name = str(secret.get("name") or "secret")
        chain = (secret.get("tls_certificate") or {}).get("certificate_chain") or {}
        roots = (secret.get("validation_context") or {}).get("trusted_ca") or {}
        if chain.get("inline_bytes"):
            yield "leaf", read_pem(base64.b64decode(chain["inline_bytes"]), name)
        if roots.get("inline_bytes"):
            yield "roots", read_pem(base64.b64decode(roots["inline_bytes"]), name)
