"""What was seen of a mesh's trust at one moment. Certificates are named by fingerprint (SHA-256 of DER, hex)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

Fingerprint = str


@dataclass(frozen=True, slots=True)
class Authority:
    """An issuer and the anchor it chains to; the two are one where the root itself signs (Consul's own provider)."""

    anchor: Fingerprint
    issuer: Fingerprint


@dataclass(frozen=True, slots=True)
class LiveLeaf:
    """The leaf that a socket served. ``by`` None: it chains to nothing that we know."""

    sha256: Fingerprint
    by: Authority | None
    identity: str
    not_before: datetime
    not_after: datetime


@dataclass(frozen=True, slots=True)
class Party:
    """One proxy: it serves a leaf and verifies those of others. Seen by handshakes, never by what a Secret says.

    ``gateway``: it carries traffic from outside, and leaves only in its node's transaction. ``trusts`` are those of
    the anchors asked about whose canary it accepted; ``silent`` says why nobody knows.
    ``held_by`` is the node's agent that holds its key in its stead (ztunnel), empty where it holds its own.
    ``leaving``: it was told to end, and until it does its leaf lives and it refuses what it does not trust.
    ``uncertified``: it was asked and holds nothing of the mesh, neither leaf nor root.
    """

    name: str
    namespace: str
    node: str
    rack: str
    leaf: LiveLeaf | None = None
    trusts: frozenset[Fingerprint] | None = None
    silent: str = ""
    gateway: bool = False
    held_by: str = ""
    leaving: bool = False
    uncertified: bool = False

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name} on {self.node}"


@dataclass(frozen=True, slots=True)
class Copy:
    """A published copy of the bundle that verifiers read: a ConfigMap, a webhook's caBundle, a pinned file."""

    where: str
    anchors: frozenset[Fingerprint]


@dataclass(frozen=True, slots=True)
class Sighting:
    """``published`` is the bundle as handed over, in its order; ``signer`` who signs now, None if nobody can tell."""

    published: tuple[Fingerprint, ...]
    signer: Authority | None
    copies: tuple[Copy, ...]
    parties: tuple[Party, ...]
    known: frozenset[Fingerprint]
    """The anchors that verifiers were asked about: of any other nothing is claimed."""
    uncertified: tuple[Party, ...] = ()
    """Proxies of the mesh that are no parties to its trust: there is nothing of it that they could get wrong."""
