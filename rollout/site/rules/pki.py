"""A mesh's CA that can do its work: a folder of its own, lifetimes that nest, keys where the mesh can use them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rollout.model.mesh import MeshKind
from rollout.site.pki import PkiSection
from rollout.site.places import home_unknown, resolved, unset_variables
from rollout.site.problem import FieldPath, Problem
from rollout.site.rules.walk import meshes, repeated
from rollout.site.schema import SiteFile
from rollout.site.subjects import MeshSection


def folders_are_unique(file: SiteFile, folder: Path) -> Iterator[Problem]:
    """Two meshes under one root would believe each other's workloads."""
    found = ((path, resolved(pki.folder, folder)) for path, _, pki in _sections(file, "folder"))
    yield from repeated(found, lambda where: f"the folder '{where.name}'", "a folder of the mesh's own")


def lifetimes_nest(file: SiteFile, _: Path) -> Iterator[Problem]:
    """An issuer that outlives its anchor signs leaves that nobody believes."""
    for path, _mesh, pki in _sections(file):
        anchor, issuer, leaf = pki.anchor_lifetime, pki.issuer_lifetime, pki.leaf_lifetime
        if anchor and issuer and issuer >= anchor:
            expected = "less than anchorLifetime"
            yield Problem(
                (*path, "issuerLifetime"),
                "is not shorter than the anchor's",
                expected,
                (*path, "anchorLifetime"),
            )
        if issuer and leaf and leaf >= issuer:
            expected = "less than issuerLifetime"
            yield Problem(
                (*path, "leafLifetime"),
                "is not shorter than the issuer's",
                expected,
                (*path, "issuerLifetime"),
            )


def consul_can_use_its_root(file: SiteFile, _: Path) -> Iterator[Problem]:
    """Its built-in provider signs leaves with the root itself, in a trust domain made of the cluster's id."""
    for path, mesh, pki in _sections(file):
        if mesh.kind is not MeshKind.CONSUL:
            continue
        if pki.keys.pkcs11 is not None:
            what = "keeps the root in a token, but Consul's built-in provider needs the root's key itself"
            yield Problem(
                (*path, "keys", "pkcs11"), what, "keys in files, or no pki section (Vault holds the root)"
            )
        if not mesh.trust_domain.endswith(".consul"):
            what = f"is '{mesh.trust_domain}', and Consul's own CA is for <cluster-id>.consul"
            yield Problem(
                (*path[:-1], "trustDomain"), what, "the TrustDomain that /v1/connect/ca/roots shows"
            )


def paths_can_be_resolved(file: SiteFile, _: Path) -> Iterator[Problem]:
    for path, _mesh, pki in _sections(file):
        for field, text in _paths(path, pki):
            for name in unset_variables(text):
                expected = "a variable of this environment, or a path"
                yield Problem(field, f"uses ${name}, which is not set", expected)
            if home_unknown(text):
                yield Problem(field, f"is '{text[:60]}': no such user's home", "~/... or a path")


def _paths(path: FieldPath, pki: PkiSection) -> Iterator[tuple[FieldPath, str]]:
    yield (*path, "folder"), pki.folder
    if pki.corporate is not None:
        yield (*path, "corporate"), pki.corporate
    if pki.keys.passphrase_file is not None:
        yield (*path, "keys", "passphraseFile"), pki.keys.passphrase_file
    if pki.keys.pkcs11 is not None:
        yield (*path, "keys", "pkcs11", "module"), pki.keys.pkcs11.module
        yield (*path, "keys", "pkcs11", "pinFile"), pki.keys.pkcs11.pin_file


def _sections(file: SiteFile, *below: str) -> Iterator[tuple[FieldPath, MeshSection, PkiSection]]:
    for path, mesh in meshes(file):
        if mesh.pki is not None:
            yield (*path, "pki", *below), mesh, mesh.pki
