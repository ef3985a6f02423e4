"""The certificate authorities that the signers are given, one generation after the other. The one place that mints."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509

from pki.mint import Authority, Subject, mint_issuer, mint_trust_anchor

__all__ = ["Authority", "Generation", "mint"]

_ANCHOR = timedelta(days=30)
_ISSUER = timedelta(days=20)


@dataclass(frozen=True, slots=True, repr=False)
class Generation:
    """A trust anchor and the issuer below it. Prints the anchor's subject only."""

    anchor: Authority
    issuer: Authority

    @property
    def root(self) -> x509.Certificate:
        return self.anchor.certificate

    def __repr__(self) -> str:
        return f"Generation({self.root.subject.rfc4514_string()})"


def mint(mesh: str, number: int) -> Generation:
    """Subjects differ from generation to generation, as OpenSSL needs it of two roots side by side."""
    now = datetime.now(UTC)
    anchor = mint_trust_anchor(Subject(f"root.{mesh}.cluster.local", number), _ANCHOR, now=now)
    issuer = mint_issuer(Subject(f"identity.{mesh}.cluster.local", number), anchor, _ISSUER, now=now)
    return Generation(anchor, issuer)
