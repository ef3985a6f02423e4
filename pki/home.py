"""One mesh's PKI: a folder of generations, certificates in the clear and keys in their stores.

A root's key signs and never comes out; an issuer's key comes out in memory, for the mesh's Secret. The one exception
is Consul's built-in provider, which signs leaves with the root itself and so must be handed it (docs/pki.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from pki.bundle import to_pem
from pki.disk import locked, make_folder, move, remove
from pki.errors import PkiError
from pki.layout import ANCHOR, Layout, make, write_certificate
from pki.material import Generation, IssuerCert, IssuerMaterial, key_pem
from pki.mint import Authority, Subject, cross_sign, mint_issuer, mint_leaf, mint_trust_anchor
from pki.profile import Identity, Profile
from pki.stores.port import KeyStore
from pki.verify.chain import verify_key
from pki.verify.proof import prove

__all__ = ["Generation", "IssuerCert", "IssuerMaterial", "PkiHome"]

_NOBODY = Identity("rackroll", "proof")


@dataclass(frozen=True, slots=True)
class PkiHome:
    """``profile`` carries the lifetimes; roots' keys are in ``anchor_keys``, issuers' in ``issuer_keys``."""

    folder: Path
    profile: Profile
    anchor_keys: KeyStore
    issuer_keys: KeyStore

    @property
    def _layout(self) -> Layout:
        return Layout(self.folder)

    def generations(self) -> tuple[Generation, ...]:
        """Oldest first, retired ones left out; none where nothing was minted yet."""
        return self._layout.read()

    def generation(self, number: int) -> Generation:
        """Raises PkiError where there is none."""
        found = next((each for each in self.generations() if each.number == number), None)
        if found is None:
            have = ", ".join(str(each.number) for each in self.generations()) or "none"
            what = f"has no generation {number} (it has: {have})"
            raise PkiError(what, where=str(self.folder), hint="`rackroll pki show` lists them")
        return found

    def begin(self, now: datetime, *, after: int | None = None) -> Generation:
        """Mint the next generation, anchor and first issuer, whole or not at all.

        A caller that may be killed and come again says ``after=n``: generation n+1 is then minted once, and returned
        where it is there already. Without it each finished call makes one more.
        """
        with locked(self.folder):
            self._sweep()
            newest = self._layout.highest()
            if after is not None and after != newest:
                return self._already(after, newest)
            self._same_passphrase()
            make(self._layout.generation(newest + 1), lambda staged: self._fill(staged, newest + 1, now))
        return self.generation(newest + 1)

    def reissue(self, generation: int, now: datetime, *, after: int | None = None) -> IssuerCert:
        """One more issuer under that generation's anchor; ``after`` as in ``begin``. The older ones stay."""
        with locked(self.folder):
            self._sweep()
            issuers = self.generation(generation).issuers
            newest = issuers[-1].number if issuers else 0
            number = newest + 1 if after is None else after + 1
            there = self.generation(generation).issuer(number)
            if there is not None:
                return there
            if number != newest + 1:
                what = f"generation {generation} has {newest} issuers, so none comes after {after}"
                raise PkiError(what, where=str(self.folder), hint="`rackroll pki show` lists them")
            anchor = self._anchor(generation)
            final = self._layout.issuer(generation, number)
            make(final, lambda staged: self._issuer(staged, anchor, generation, number, now))
        found = self.generation(generation).issuer(number)
        assert found is not None
        return found

    def issuer_material(self, generation: int, issuer: int) -> IssuerMaterial:
        """What the mesh's Secret holds. Raises PkiError where the key is not the certificate's."""
        found = self._issuing(generation, issuer)
        return IssuerMaterial(to_pem([found.certificate]), key_pem(found.key))

    def canary(
        self, generation: int, identity: Identity, now: datetime, lifetime: timedelta
    ) -> tuple[str, bytes]:
        """A leaf of the newest issuer, as (leaf and issuer in PEM, its key in PEM): to try both directions with."""
        found = self.generation(generation)
        if not found.issuers:
            raise PkiError(
                f"generation {generation} has no issuer", where=str(self.folder), hint="reissue it"
            )
        issuer = self._issuing(generation, found.issuers[-1].number)
        leaf = mint_leaf(self.profile, identity, issuer, lifetime, now=now)
        prove((leaf.certificate, issuer.certificate), (found.anchor,), self.profile, now=now)
        return to_pem([leaf.certificate, issuer.certificate]), key_pem(leaf.key)

    def cross_signed(self, new: int, by: int, now: datetime, lifetime: timedelta) -> x509.Certificate:
        """Generation ``new``'s anchor under generation ``by``'s: for who trusts only the old one."""
        found, old = self.generation(new), self._anchor(by)
        crossed = cross_sign(found.anchor, old, now=now, lifetime=lifetime)
        for issuer in found.issuers[-1:]:
            prove((issuer.certificate, crossed), (old.certificate,), self.profile, now=now)
        return crossed

    def signing_root_material(self, generation: int) -> IssuerMaterial:
        """The exception, for Consul only: its built-in provider signs leaves with the root, so Raft holds its key.

        Raises PkiError for every other mesh, and for a root in a token, which cannot leave it.
        """
        if not self.profile.root_signs_leaves:
            what = f"a root key never leaves its store, and {self.profile.kind} does not need it"
            raise PkiError(what, where=str(self.folder), hint="hand over an issuer instead")
        root = self._anchor(generation)
        return IssuerMaterial(to_pem([root.certificate]), key_pem(root.key))

    def check_root_key(self, generation: int) -> None:
        """Open the root's key and see that it is the certificate's. Raises PkiError; the key stays where it is."""
        self._anchor(generation)

    def retire(self, number: int) -> None:
        """Destroy that generation's keys and set its certificates aside. Done already: nothing happens.

        Raises PkiError for the newest one: without it the mesh could not be re-keyed.
        """
        with locked(self.folder):
            self._sweep()
            if self._layout.retired(number).is_dir():
                return
            found = self.generation(number)
            if found == self.generations()[-1]:
                what = f"generation {number} is the newest"
                raise PkiError(
                    what, where=str(self.folder), hint="begin the next one before retiring this one"
                )
            self.anchor_keys.destroy(self._layout.anchor(number))
            for issuer in found.issuers:
                self.issuer_keys.destroy(self._layout.issuer(number, issuer.number))
            make_folder(self._layout.retired(number).parent)
            move(self._layout.generation(number), self._layout.retired(number))

    def _already(self, after: int, newest: int) -> Generation:
        if after + 1 <= newest:
            return self.generation(after + 1)
        what = f"the newest generation is {newest}, so none comes after {after}"
        raise PkiError(what, where=str(self.folder), hint="`rackroll pki show` lists them")

    def _fill(self, staged: Path, number: int, now: datetime) -> None:
        make_folder(staged / ANCHOR)
        key = self.anchor_keys.create(staged / ANCHOR)
        own = self.profile
        subject = Subject(own.anchor_common_name, number)
        anchor = mint_trust_anchor(subject, own.anchor_lifetime, now=now, key=key, uri=own.anchor_uri)
        write_certificate(staged / ANCHOR, anchor.certificate)
        make_folder(staged / "issuer-1")
        self._issuer(staged / "issuer-1", anchor, number, 1, now)

    def _issuer(self, folder: Path, anchor: Authority, generation: int, number: int, now: datetime) -> None:
        key = self.issuer_keys.create(folder)
        subject = Subject(self.profile.issuer_common_name, generation, number)
        issuer = mint_issuer(subject, anchor, self.profile.issuer_lifetime, now=now, key=key)
        self._prove(issuer, anchor.certificate, now)
        write_certificate(folder, issuer.certificate)

    def _prove(self, issuer: Authority, anchor: x509.Certificate, now: datetime) -> None:
        """Before anything is published: the issuer under its anchor, and a leaf of a minute under both."""
        prove((issuer.certificate,), (anchor,), self.profile, now=now)
        if self.profile.leaf is not None:
            leaf = mint_leaf(self.profile, _NOBODY, issuer, timedelta(minutes=1), now=now)
            prove((leaf.certificate, issuer.certificate), (anchor,), self.profile, now=now)

    def _anchor(self, generation: int) -> Authority:
        folder = self._layout.anchor(generation)
        return _paired(self.generation(generation).anchor, self.anchor_keys.open(folder), folder)

    def _issuing(self, generation: int, number: int) -> Authority:
        found = self.generation(generation).issuer(number)
        if found is None:
            what = f"generation {generation} has no issuer {number}"
            raise PkiError(what, where=str(self.folder), hint="`rackroll pki show` lists them")
        folder = self._layout.issuer(generation, number)
        return _paired(found.certificate, self.issuer_keys.open(folder), folder)

    def _same_passphrase(self) -> None:
        """Opens what is there first: a home sealed under two passphrases would be found out in a rotation."""
        for each in self.generations()[-1:]:
            for issuer in each.issuers[-1:]:
                self._issuing(each.number, issuer.number)

    def _sweep(self) -> None:
        for left in self._layout.unfinished():
            for folder in (left, *sorted(path for path in left.iterdir() if path.is_dir())):
                store = self.anchor_keys if folder.name == ANCHOR else self.issuer_keys
                store.destroy(folder)
            remove(left)


def _paired(certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey, folder: Path) -> Authority:
    for refusal in verify_key(certificate, key.public_key()):
        raise PkiError(str(refusal), where=str(folder), hint="restore both from one backup")
    return Authority(certificate, key)
