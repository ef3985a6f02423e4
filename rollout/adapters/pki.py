"""A mesh's ``pki`` section as a home that can mint, and the CAs that it must be kept apart from."""

from __future__ import annotations

from dataclasses import replace

from pki.foreign import ForeignStore, corporate_store, public_store
from pki.home import PkiHome
from pki.passphrase import LatePassphrase
from pki.profile import Profile, profile
from pki.stores.file import FileStore
from pki.stores.port import KeyStore
from pki.stores.token import TokenStore
from rollout.errors import RackrollError
from rollout.model.mesh import Mesh
from rollout.model.pki import MeshPki


def pki_of(mesh: Mesh) -> MeshPki:
    """Raises RackrollError where the site leaves this mesh's CA to somebody else."""
    if mesh.pki is None:
        hint = "add a pki section (owner, folder, keys) to the mesh: docs/pki.md"
        raise RackrollError(
            "has no pki section, so its CA is not rackroll's", where=f"mesh {mesh.name}", hint=hint
        )
    return mesh.pki


def pki_profile(mesh: Mesh) -> Profile:
    """The kind's own profile, with the lifetimes that the site gives."""
    own, base = pki_of(mesh), profile(mesh.kind.value, mesh.trust_domain)
    return replace(
        base,
        anchor_lifetime=own.anchor_lifetime or base.anchor_lifetime,
        issuer_lifetime=own.issuer_lifetime or base.issuer_lifetime,
        leaf_lifetime=own.leaf_lifetime or base.leaf_lifetime,
    )


def pki_home(mesh: Mesh) -> PkiHome:
    """Nothing is read before the first call, and no passphrase or PIN before a key is needed."""
    own = pki_of(mesh)
    files = FileStore(LatePassphrase(own.passphrase_file))
    roots: KeyStore = files
    if own.token is not None:
        roots = TokenStore(own.token.module, own.token.token, own.token.pin_file)
    return PkiHome(own.folder, pki_profile(mesh), roots, files)


def foreign_stores(mesh: Mesh) -> tuple[ForeignStore, ...]:
    """This machine's public CAs where it has any, and the corporate ones where the site names a folder."""
    found = [public_store()]
    corporate = pki_of(mesh).corporate
    if corporate is not None:
        found.append(corporate_store(corporate))
    return tuple(store for store in found if store is not None)
