"""Our own verifier: every reason to refuse a chain, as values. An empty answer is the only good one.

With the minting it shares the profiles only, with OpenSSL nothing, and it is stricter than either: where they differ is
in docs/decisions/pki-keys.md. It needs no network and no clock of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import pairwise

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

from pki.fingerprint import printable
from pki.profile import Profile
from pki.verify.authority import anchor_refusals, anchors_refusals, issuer_refusals
from pki.verify.leaf import leaf_refusals
from pki.verify.parts import authority_key_id, extension, signed_by, subject_key_id
from pki.verify.reason import Reason, Refusal, refused

Chain = tuple[x509.Certificate, ...]


def verify_chain(chain: Chain, anchors: Chain, profile: Profile, *, now: datetime) -> tuple[Refusal, ...]:
    """Why ``chain`` (a leaf or an issuer first, each under the next, no anchor in it) is not believed; or nothing.

    Every anchor is judged, also those that the chain does not need: a bundle is as good as its worst one.
    """
    return tuple(dict.fromkeys(_refusals(chain, anchors, profile, now)))


def verify_anchors(anchors: Chain, profile: Profile, *, now: datetime) -> tuple[Refusal, ...]:
    """The same for a bundle alone."""
    found = [refusal for cert in anchors for refusal in anchor_refusals(cert, profile, now)]
    return tuple(dict.fromkeys((*found, *anchors_refusals(anchors))))


def verify_key(cert: x509.Certificate, public_key: PublicKeyTypes) -> tuple[Refusal, ...]:
    """Whether the key that a store holds is the certificate's own."""
    if cert.public_key() == public_key:
        return ()
    return (refused(Reason.KEY_MISMATCH, cert, "has another key than the one beside it: one was swapped"),)


def is_ca(cert: x509.Certificate) -> bool:
    constraints = extension(cert, x509.BasicConstraints)
    return constraints is not None and constraints.value.ca


def _refusals(chain: Chain, anchors: Chain, profile: Profile, now: datetime) -> Iterable[Refusal]:
    yield from verify_anchors(anchors, profile, now=now)
    if not chain:
        return
    leaf = () if is_ca(chain[0]) else chain[:1]
    for cert in leaf:
        yield from leaf_refusals(cert, profile, now)
    for below, cert in enumerate(chain[len(leaf) :]):
        yield from issuer_refusals(cert, profile, now, below)
    yield from _links(chain, anchors)


def _links(chain: Chain, anchors: Chain) -> Iterator[Refusal]:
    """A CA may outlive one between it and the anchor: that is a cross-signed root, a bridge for a few days."""
    for cert, signer in pairwise(chain):
        outlives = None if is_ca(cert) else Reason.OUTLIVES_ISSUER
        yield from _link(cert, (signer,), "the next certificate of the chain", outlives)
    last = chain[-1]
    yield from _link(last, anchors, "any anchor of the bundle", Reason.OUTLIVES_ANCHOR)


def _link(cert: x509.Certificate, signers: Chain, whom: str, outlives: Reason | None) -> Iterator[Refusal]:
    """Every signer of that name is tried, as webpki and Go do; the key identifiers have to fit as well."""
    signer = next((each for each in signers if signed_by(cert, each)), None)
    if signer is None:
        issuer = printable(cert.issuer.rfc4514_string())
        what = f"is not signed by {whom} (its issuer is {issuer or 'nameless'})"
        yield refused(Reason.DOES_NOT_CHAIN, cert, what)
        return
    wanted = authority_key_id(cert)
    if wanted is not None and wanted != subject_key_id(signer):
        what = "names another key identifier than its signer has, so OpenSSL would pass its signer over"
        yield refused(Reason.DOES_NOT_CHAIN, cert, what)
    if outlives is not None and cert.not_valid_after_utc > signer.not_valid_after_utc:
        ends, limit = cert.not_valid_after_utc, signer.not_valid_after_utc
        yield refused(
            outlives, cert, f"ends {ends:%Y-%m-%d %H:%M}, after its signer ({limit:%Y-%m-%d %H:%M})"
        )
