"""What every MeshTrust takes from its key store and from its proxies as it is."""

from __future__ import annotations

from pki.fingerprint import fingerprint
from pki.rotation.sighting import Authority, Copy, Fingerprint, Party, Sighting
from rollout.adapters.trust.home import MeshKeys
from rollout.adapters.trust.proxies import Parties
from rollout.engine.trust import Declared
from rollout.model.rekey import Signer


class Keyed:
    """The half of :class:`rollout.engine.trust.MeshTrust` in which meshes do not differ."""

    __slots__ = ()
    keys: MeshKeys
    proxies: Parties

    def signers(self) -> tuple[Signer, ...]:
        return self.keys.signers()

    def authority(self, signer: Signer) -> Authority:
        return self.keys.authority(signer)

    def anchors(self, generations: tuple[int, ...]) -> tuple[Fingerprint, ...]:
        return tuple(fingerprint(self.keys.anchor(number)) for number in generations)

    def mint(self, signer: Signer) -> bool:
        return self.keys.mint(signer)

    def retire(self, generation: int) -> None:
        self.keys.retire(generation)

    def sighting(self, declared: Declared, copies: tuple[Copy, ...], node: str | None) -> Sighting:
        seen = self.proxies.seen(node, self.keys)
        return Sighting(
            declared.published,
            declared.signer,
            copies,
            tuple(party for party in seen if not party.uncertified),
            self.keys.anchors(),
            tuple(party for party in seen if party.uncertified),
        )

    def renew(self, party: Party) -> bool:
        return self.proxies.renew(party)
