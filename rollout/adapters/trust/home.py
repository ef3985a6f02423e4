"""A mesh's key store as the site names it, and what of it the rest of the product may see: numbers and fingerprints."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509

from pki.bundle import to_pem
from pki.errors import PkiError
from pki.fingerprint import fingerprint
from pki.home import Generation, IssuerMaterial, PkiHome
from pki.material import key_pem
from pki.mint import Subject, mint_issuer, mint_leaf, mint_trust_anchor
from pki.profile import Identity
from pki.rotation.sighting import Authority, Fingerprint
from rollout.adapters.trust.census import Canary, KnownIssuer
from rollout.errors import StepFailed
from rollout.model.rekey import Signer

CANARY = Identity("rackroll", "census")
CANARY_LIFE = timedelta(minutes=10)


def _now() -> datetime:
    return datetime.now(UTC)


@contextmanager
def spoken(mesh: str) -> Iterator[None]:
    """What the PKI refuses, as an error of a step: what, where, what next."""
    try:
        yield
    except PkiError as error:
        raise StepFailed(error.message, where=error.where or mesh, hint=error.hint) from None


@dataclass(frozen=True, slots=True)
class MeshKeys:
    """Generations by number. Where the root signs leaves itself, it is its own issuer (Consul)."""

    mesh: str
    home: PkiHome
    now: Callable[[], datetime] = _now

    def signers(self) -> tuple[Signer, ...]:
        return tuple(
            Signer(each.number, issuer.number) for each in self._generations() for issuer in each.issuers
        )

    def authority(self, signer: Signer) -> Authority:
        anchor, issuer = self.certificates(signer)
        return Authority(fingerprint(anchor), fingerprint(issuer))

    def anchor(self, generation: int) -> x509.Certificate:
        with spoken(self.mesh):
            return self.home.generation(generation).anchor

    def certificates(self, signer: Signer) -> tuple[x509.Certificate, x509.Certificate]:
        """Anchor and issuer. Raises StepFailed for a signer that is not minted."""
        with spoken(self.mesh):
            found = self.home.generation(signer.generation)
            issuer = found.issuer(signer.issuer)
        if issuer is None:
            raise StepFailed(
                f"there is no {signer}", where=self.mesh, hint="`rackroll pki show` lists what there is"
            )
        return found.anchor, found.anchor if self.home.profile.root_signs_leaves else issuer.certificate

    def mint(self, signer: Signer) -> bool:
        """Only the next number of either kind is ever minted, once."""
        if signer in self.signers():
            return False
        with spoken(self.mesh):
            if signer.issuer == 1:
                self.home.begin(self.now(), after=signer.generation - 1)
            else:
                self.home.reissue(signer.generation, self.now(), after=signer.issuer - 1)
        return True

    def retire(self, generation: int) -> None:
        with spoken(self.mesh):
            self.home.retire(generation)

    def material(self, signer: Signer) -> IssuerMaterial:
        with spoken(self.mesh):
            if self.home.profile.root_signs_leaves:
                return self.home.signing_root_material(signer.generation)
            return self.home.issuer_material(signer.generation, signer.issuer)

    def canaries(self) -> tuple[Canary, ...]:
        """One of every generation: an expired issuer can mint none, and then nothing is claimed about its anchor."""
        return tuple(canary for each in self._generations() for canary in self._canary(each))

    def _canary(self, generation: Generation) -> Iterator[Canary]:
        newest = max(generation.issuers, key=lambda each: each.number)
        if newest.certificate.not_valid_after_utc <= self.now() + CANARY_LIFE:
            return
        with spoken(self.mesh):
            chain, key = self.home.canary(generation.number, CANARY, self.now(), CANARY_LIFE)
        yield Canary(fingerprint(generation.anchor), chain, key.decode("ascii"))

    def stranger(self) -> Canary:
        """Of a root that is made here and trusted by nobody, and forgotten at once."""
        now, own = self.now(), self.home.profile
        anchor = mint_trust_anchor(Subject("nobody's root", 0), 3 * CANARY_LIFE, now=now)
        issuer = mint_issuer(Subject("nobody's issuer", 0, 0), anchor, 2 * CANARY_LIFE, now=now)
        leaf = mint_leaf(own, CANARY, issuer, CANARY_LIFE, now=now)
        chain = to_pem([leaf.certificate, issuer.certificate])
        return Canary("", chain, key_pem(leaf.key).decode("ascii"))

    def issuers(self) -> tuple[KnownIssuer, ...]:
        found = []
        for each in self._generations():
            anchor = fingerprint(each.anchor)
            if self.home.profile.root_signs_leaves:
                found.append(KnownIssuer(each.anchor, Authority(anchor, anchor)))
            for issuer in each.issuers:
                certificate = issuer.certificate
                found.append(KnownIssuer(certificate, Authority(anchor, fingerprint(certificate))))
        return tuple(found)

    def anchors(self) -> frozenset[Fingerprint]:
        return frozenset(fingerprint(each.anchor) for each in self._generations())

    def _generations(self) -> tuple[Generation, ...]:
        with spoken(self.mesh):
            return self.home.generations()
