"""The effects of a rotation: what a mesh trusts, who signs for it, and which of its pods have followed.

Generations are numbers of the site's own key store (``rackroll pki show``); no certificate and no key is ever part
of a step. ``trusts`` are the generations whose trust anchor is in the bundle, ``signer`` is the one whose issuer
signs. Both are said each time: a mesh's material is written as a whole.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Signer:
    """The issuer that signs leaves: its generation and its number below that generation's anchor, both from 1."""

    generation: int
    issuer: int

    def __str__(self) -> str:
        return f"g{self.generation}/issuer-{self.issuer}"


@dataclass(frozen=True, slots=True)
class MintAuthority:
    """The generation and its issuer are in the key store, and their chain verifies."""

    mesh: str
    signer: Signer


@dataclass(frozen=True, slots=True)
class HandOver:
    """The mesh is told to trust these generations and to sign with this issuer.

    One of the two changes at a time, except where upstream's only call does both (Consul's cross-signing).
    ``untrusts`` are the generations that this takes out of the bundle: no other is ever taken out, whatever was in it,
    so that a plan which removes a root says so to who signs it.
    """

    mesh: str
    trusts: tuple[int, ...]
    signer: Signer
    untrusts: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class RestartControlPlane:
    """What of the control plane surely has its trust only from its start was started since that was handed over."""

    mesh: str
    trusts: tuple[int, ...]
    signer: Signer


@dataclass(frozen=True, slots=True)
class RenewProxies:
    """The node's proxies that do not yet trust exactly ``trusts``, or serve another signer's leaf, are restarted.

    ``signer`` None: any leaf will do. What already is as it should be is never touched.
    """

    node: str
    mesh: str
    trusts: tuple[int, ...]
    signer: Signer | None


@dataclass(frozen=True, slots=True)
class AwaitRenewed:
    """Every proxy of the node was seen, by a handshake, to trust exactly ``trusts`` and to serve ``signer``'s leaf."""

    node: str
    mesh: str
    trusts: tuple[int, ...]
    signer: Signer | None


@dataclass(frozen=True, slots=True)
class RenewLate:
    """Proxies anywhere that were told and still do not trust exactly ``trusts`` are restarted; a gateway's never.

    For a mesh that pushes its bundle: a proxy whose next leaf came from a replica of the control plane that had not
    read the bundle yet keeps the old root until its half-life.
    """

    mesh: str
    trusts: tuple[int, ...]
    signer: Signer


@dataclass(frozen=True, slots=True)
class AwaitTrust:
    """Every verifier of the mesh, published copies included, trusts exactly these generations."""

    mesh: str
    trusts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class AwaitLeaves:
    """No live leaf chains to another generation's anchor, or comes from another issuer (``signer``)."""

    mesh: str
    signer: Signer


Rekey = (
    MintAuthority
    | HandOver
    | RestartControlPlane
    | RenewProxies
    | RenewLate
    | AwaitRenewed
    | AwaitTrust
    | AwaitLeaves
)
