"""What `rackroll pki verify` looks at, as verdicts: each chain with the words of both verifiers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509

from pki.bundle import read_pem
from pki.errors import PkiError
from pki.material import Generation
from pki.verify.chain import is_ca, verify_anchors, verify_chain
from pki.verify.openssl import openssl_refusal
from pki.verify.reason import Reason, Refusal
from rollout.adapters.pki import foreign_stores, pki_home, pki_profile
from rollout.errors import RackrollError
from rollout.model.mesh import Mesh


@dataclass(frozen=True, slots=True)
class Verdict:
    """``openssl`` is what it has against the chain; None where it accepts or was not asked (``asked``)."""

    mesh: str
    about: str
    refusals: tuple[Refusal, ...]
    openssl: str | None = None
    asked: bool = False

    @property
    def good(self) -> bool:
        return not self.refusals and self.openssl is None


def check_home(mesh: Mesh, now: datetime, *, keys: bool) -> Iterator[Verdict]:
    """Every issuer under its root, the roots as one bundle, the stores that they must stay out of."""
    home = pki_home(mesh)
    generations = home.generations()
    if not generations:
        raise RackrollError("has no root yet", where=f"mesh {mesh.name}", hint="rackroll pki init")
    for generation in generations:
        yield from _check_generation(mesh, generation, now)
    roots = tuple(each.anchor for each in generations)
    together = verify_anchors(roots, pki_profile(mesh), now=now)
    yield Verdict(mesh.name, f"bundle of {len(roots)} root(s)", together)
    yield from _check_foreign(mesh, generations)
    if keys:
        yield from _check_keys(mesh, generations)


def check_chain(mesh: Mesh, chain: Path, anchors: Path | None, now: datetime) -> tuple[Verdict, ...]:
    """A file of one's own, its root left aside; what cannot be read strictly is refused as junk."""
    try:
        certs = read_pem(_content(chain), str(chain))
        roots = _anchors(mesh, anchors)
    except PkiError as error:
        return (Verdict(mesh.name, str(chain), (Refusal(Reason.JUNK, error.where, error.message),)),)
    certs = tuple(cert for cert in certs if cert not in roots) or certs
    refusals = list(verify_chain(certs, roots, pki_profile(mesh), now=now))
    for store in foreign_stores(mesh):
        refusals += store.refusals((*roots, *(cert for cert in certs if is_ca(cert))))
    said = openssl_refusal(certs, roots, now=now)
    return (Verdict(mesh.name, str(chain), tuple(refusals), said, asked=True),)


def _anchors(mesh: Mesh, file: Path | None) -> tuple[x509.Certificate, ...]:
    if file is not None:
        return read_pem(_content(file), str(file))
    found = tuple(each.anchor for each in pki_home(mesh).generations())
    if not found:
        raise RackrollError("has no root yet", where=f"mesh {mesh.name}", hint="name a bundle with --anchors")
    return found


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        what = f"cannot be read: {error.strerror}"
        raise RackrollError(what, where=str(file), hint="name a file of PEM certificates") from None


def _check_generation(mesh: Mesh, generation: Generation, now: datetime) -> Iterator[Verdict]:
    for issuer in generation.issuers:
        chain, roots = (issuer.certificate,), (generation.anchor,)
        refusals = verify_chain(chain, roots, pki_profile(mesh), now=now)
        said = openssl_refusal(chain, roots, now=now)
        yield Verdict(
            mesh.name,
            f"issuer {generation.number}.{issuer.number} under its root",
            refusals,
            said,
            asked=True,
        )


def _check_foreign(mesh: Mesh, generations: tuple[Generation, ...]) -> Iterator[Verdict]:
    roots = tuple(each.anchor for each in generations)
    issuers = tuple(issuer.certificate for each in generations for issuer in each.issuers)
    for store in foreign_stores(mesh):
        kind = "public" if store.reason is Reason.PUBLIC_CA else "corporate"
        about = f"apart from {len(store.certificates)} {kind} CAs in {store.name}"
        yield Verdict(mesh.name, about, tuple(store.refusals(roots, issuers)))


def _check_keys(mesh: Mesh, generations: tuple[Generation, ...]) -> Iterator[Verdict]:
    home = pki_home(mesh)
    for generation in generations:
        home.check_root_key(generation.number)
        yield Verdict(mesh.name, f"key of root {generation.number} is its certificate's", ())
        for issuer in generation.issuers:
            home.issuer_material(generation.number, issuer.number)
            about = f"key of issuer {generation.number}.{issuer.number} is its certificate's"
            yield Verdict(mesh.name, about, ())
