"""The key store that a mesh's ``pki`` section names. Opening it reads no key and asks for no passphrase yet."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from pki.home import PkiHome
from pki.passphrase import read_passphrase
from pki.profile import Profile, profile
from pki.stores.file import FileStore
from pki.stores.port import KeyStore
from rollout.adapters.trust.home import spoken
from rollout.errors import StepFailed
from rollout.model.pki import MeshPki
from rollout.model.site import Mesh


def profile_of(mesh: Mesh, pki: MeshPki) -> Profile:
    """The mesh kind's own, with the site's lifetimes."""
    with spoken(mesh.name):
        own = profile(mesh.kind.value, mesh.trust_domain)
    return replace(
        own,
        anchor_lifetime=pki.anchor_lifetime or own.anchor_lifetime,
        issuer_lifetime=pki.issuer_lifetime or own.issuer_lifetime,
        leaf_lifetime=pki.leaf_lifetime or own.leaf_lifetime,
    )


def open_home(mesh: Mesh) -> PkiHome:
    """Raises StepFailed for a mesh without a ``pki`` section, and for one that its profile cannot serve."""
    pki = mesh.pki
    if pki is None:
        hint = "give it a `pki` section: owner, folder, keys (docs/pki.md)"
        raise StepFailed("the site file names no key store", where=mesh.name, hint=hint)
    keys = SealedFiles(pki.passphrase_file)
    return PkiHome(pki.folder, profile_of(mesh, pki), _roots(pki, keys), keys)


def _roots(pki: MeshPki, files: KeyStore) -> KeyStore:
    if pki.token is None:
        return files
    raise NotImplementedError("a token's store")


@dataclass(frozen=True, slots=True)
class SealedFiles:
    """A :class:`FileStore` whose passphrase is read when a key is touched: looking at certificates needs none."""

    passphrase_file: Path | None

    def create(self, folder: Path) -> ec.EllipticCurvePrivateKey:
        return self._store().create(folder)

    def open(self, folder: Path) -> ec.EllipticCurvePrivateKey:
        return self._store().open(folder)

    def destroy(self, folder: Path) -> None:
        self._store().destroy(folder)

    def _store(self) -> FileStore:
        return FileStore(read_passphrase(self.passphrase_file))
