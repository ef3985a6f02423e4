"""A mesh's Secret is a store for issuers and nothing above: with a root, who reads Secrets owns the mesh for years."""

from __future__ import annotations

from pki.bundle import read_pem
from pki.errors import PkiError
from pki.fingerprint import named
from pki.material import IssuerMaterial
from pki.verify.chain import is_ca
from pki.verify.parts import signed_by


def for_secret(material: IssuerMaterial, where: str) -> IssuerMaterial:
    """``material`` as it was, if it is an issuer's; ``where`` is the Secret (namespace/name) that it is meant for.

    Raises PkiError for a root: also Consul's, which goes to Consul's own API and into no Secret.
    """
    [first, *_] = read_pem(material.chain_pem, where)
    if signed_by(first, first) or first.subject == first.issuer:
        hint = "hand over an issuer of that root instead"
        raise PkiError(f"{named(first)} is a root: its key stays in its store", where=where, hint=hint)
    if not is_ca(first):
        hint = "hand over an issuer of the generation"
        raise PkiError(f"{named(first)} is no CA: the mesh could sign nothing", where=where, hint=hint)
    return material
