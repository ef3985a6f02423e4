"""What the engine needs of one mesh's trust, as a Protocol. Adapters implement it out of a role, the site's key store
and handshakes with the mesh's own sockets; the engine sees generations and fingerprints, never a key.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from pki.rotation.sighting import Authority, Fingerprint, Party, Sighting
from rollout.model.rekey import Signer
from rollout.model.trust import TrustWay


@dataclass(frozen=True, slots=True)
class Declared:
    """What the mesh was last told: its bundle, in its order, and who signs (None: it cannot be read)."""

    published: tuple[Fingerprint, ...]
    signer: Authority | None


class MeshTrust(Protocol):
    """Every method raises RackrollError subclasses: Unreachable for silence, StepFailed for a refusal."""

    @property
    def way(self) -> TrustWay: ...

    def signers(self) -> tuple[Signer, ...]:
        """Every issuer that the key store has, oldest first."""
        ...

    def authority(self, signer: Signer) -> Authority:
        """Fingerprints of a signer that is minted. Raises StepFailed for one that is not."""
        ...

    def anchors(self, generations: tuple[int, ...]) -> tuple[Fingerprint, ...]: ...

    def mint(self, signer: Signer) -> bool:
        """False if it was there already. Its chain verifies when this returns."""
        ...

    def declared(self) -> Declared: ...

    def sight(self, node: str | None = None) -> Sighting:
        """Of the whole mesh, or (copies left out) of the proxies on one node; those that are leaving are among them."""
        ...

    def hand_over(self, trusts: tuple[int, ...], signer: Signer) -> bool:
        """True once the mesh is told. Whether it had been told this already, ``declared`` says."""
        ...

    def restart_control_plane(self, stamp: str) -> bool:
        """Pods of the way's ``control_plane`` carry ``stamp`` from now on; False if they did. Not waited for here."""
        ...

    def control_plane_lacks(self) -> str | None:
        """What of the restarted control plane is not Ready yet, or None."""
        ...

    def retire(self, generation: int) -> None:
        """Its keys are destroyed, its certificates set aside; fine where that was done."""
        ...

    def renew(self, party: Party) -> bool:
        """The pod that holds this proxy's key is evicted or, a DaemonSet's, deleted. False: a budget says not yet."""
        ...
