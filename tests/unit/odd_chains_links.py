"""Chains that are odd in how they hang together: path lengths, subjects, dates, signatures. Docstring = the case."""

from __future__ import annotations

from cryptography import x509

from tests.unit.odd_certificates import DAY, ISSUER, LEAF, LINKERD_LEAF, NOW, ROOT, key
from tests.unit.odd_chain import ACCEPTS, REFUSES, Case, case


def sound() -> Case:
    """Negative control: leaf, issuer and root as this builder makes them by default."""
    root = ROOT.root()
    issuer = ISSUER.under(root)
    return case((LEAF.under(issuer), issuer), (root,), "", ACCEPTS)


def sound_linkerd() -> Case:
    """Negative control: Linkerd's DNS identity under two generations of anchors."""
    root, other = ROOT.root(), ROOT.but(unit="g2").root()
    issuer = ISSUER.under(root)
    return case((LINKERD_LEAF.under(issuer), issuer), (other, root), "", ACCEPTS, mesh="linkerd")


def root_with_pathlen_0() -> Case:
    """A root with pathlen 0 forbids any issuer below it."""
    root = ROOT.but(pathlen=0).root()
    issuer = ISSUER.under(root)
    return case((LEAF.under(issuer), issuer), (root,), "wrong-pathlen", REFUSES)


def issuer_without_pathlen() -> Case:
    """An issuer that may have CAs below it: a stolen leaf request could become a CA."""
    root = ROOT.root()
    issuer = ISSUER.but(pathlen=None).under(root)
    differs = "RFC 5280 allows it; a mesh issuer signs leaves only, so ours asks for pathlen 0"
    return case((LEAF.under(issuer), issuer), (root,), "wrong-pathlen", ACCEPTS, differs)


def issuer_below_an_issuer() -> Case:
    """An issuer with pathlen 0 that signed another issuer."""
    root = ROOT.root()
    upper = ISSUER.under(root)
    lower = ISSUER.but(unit="g1.2").under(upper)
    return case((LEAF.under(lower), lower, upper), (root,), "wrong-pathlen", REFUSES)


def anchors_of_one_subject() -> Case:
    """Two generations under one subject, with SKI and AKI."""
    root, other = ROOT.root(), ROOT.root()
    issuer = ISSUER.under(root)
    differs = "OpenSSL tells them apart by SKI and AKI; without either it picks the first and fails"
    return case((LEAF.under(issuer), issuer), (other, root), "same-subject", ACCEPTS, differs)


def anchors_of_one_subject_without_key_ids() -> Case:
    """Two generations under one subject, without SKI and AKI: the outage that distinct subjects prevent."""
    plain = ROOT.but(ski=False, aki=False)
    root, other = plain.root(), plain.root()
    issuer = ISSUER.but(aki=False).under(root)
    words = "missing-ski same-subject missing-aki"
    return case((LEAF.but(aki=False).under(issuer), issuer), (other, root), words, REFUSES)


def expired_anchor() -> Case:
    """An anchor that ended yesterday, an issuer and a leaf that did not."""
    root = ROOT.but(begins=NOW - 9 * DAY, ends=NOW - DAY).root()
    issuer = ISSUER.under(root)
    return case((LEAF.under(issuer), issuer), (root,), "expired outlives-anchor", REFUSES)


def expired_anchor_beside_a_good_one() -> Case:
    """The old anchor ended, the chain is the new one's."""
    old = ROOT.but(unit="g0", begins=NOW - 9 * DAY, ends=NOW - DAY).root()
    root = ROOT.root()
    issuer = ISSUER.under(root)
    differs = "OpenSSL looks only at the anchor that it needs; a bundle with a dead anchor was forgotten"
    return case((LEAF.under(issuer), issuer), (old, root), "expired", ACCEPTS, differs)


def expired_issuer() -> Case:
    """The issuer ended yesterday."""
    root = ROOT.root()
    issuer = ISSUER.but(begins=NOW - 9 * DAY, ends=NOW - DAY).under(root)
    return case((LEAF.under(issuer), issuer), (root,), "expired outlives-issuer", REFUSES)


def leaf_from_tomorrow() -> Case:
    """A leaf that is valid from tomorrow on: a node whose clock is late sees every new leaf so."""
    root = ROOT.root()
    issuer = ISSUER.under(root)
    leaf = LEAF.but(begins=NOW + DAY, ends=NOW + 2 * DAY).under(issuer)
    return case((leaf, issuer), (root,), "not-yet-valid", REFUSES)


def issuer_that_outlives_its_anchor() -> Case:
    """Still valid today, and the mesh breaks on the day the anchor ends."""
    root = ROOT.but(ends=NOW + 9 * DAY).root()
    issuer = ISSUER.but(ends=NOW + 10 * DAY).under(root)
    differs = "OpenSSL asks about now; ours about the day after"
    return case((LEAF.under(issuer), issuer), (root,), "outlives-anchor", ACCEPTS, differs)


def leaf_that_outlives_its_issuer() -> Case:
    """Linkerd and Istio (from 1.30) clamp it; others do not."""
    root = ROOT.root()
    issuer = ISSUER.but(ends=NOW + DAY).under(root)
    differs = "OpenSSL asks about now"
    return case(
        (LEAF.but(ends=NOW + 2 * DAY).under(issuer), issuer), (root,), "outlives-issuer", ACCEPTS, differs
    )


def another_generations_anchor() -> Case:
    """The bundle has the other generation only."""
    issuer = ISSUER.under(ROOT.root())
    return case((LEAF.under(issuer), issuer), (ROOT.but(unit="g2").root(),), "does-not-chain", REFUSES)


def swapped_signing_key() -> Case:
    """The anchor's name, another key's signature: the key beside the certificate was swapped before it signed."""
    root = ROOT.root()
    issuer = ISSUER.under(root, signed_with=key())
    return case((LEAF.under(issuer), issuer), (root,), "does-not-chain", REFUSES)


def swapped_signing_key_with_the_right_key_id() -> Case:
    """As before, but the issuer names the anchor's key identifier: only the signature is wrong."""
    root = ROOT.root()
    aki = x509.AuthorityKeyIdentifier.from_issuer_public_key(root.key.public_key())
    issuer = ISSUER.but(aki=False, extra=((aki, False),)).under(root, signed_with=key())
    return case((LEAF.under(issuer), issuer), (root,), "does-not-chain", REFUSES)


def wrong_key_identifier() -> Case:
    """The signature is right, the AKI names another key."""
    root = ROOT.root()
    aki = x509.AuthorityKeyIdentifier.from_issuer_public_key(key().public_key())
    issuer = ISSUER.but(aki=False, extra=((aki, False),)).under(root)
    return case((LEAF.under(issuer), issuer), (root,), "does-not-chain", REFUSES)


def chain_in_the_wrong_order() -> Case:
    """Issuer first, leaf second: proxies send it as it lies in the file."""
    root = ROOT.root()
    issuer = ISSUER.under(root)
    differs = "OpenSSL takes the rest as a heap of certificates, in any order"
    words = "not-a-ca wrong-key-usage eku-on-ca does-not-chain"
    return case((issuer, LEAF.under(issuer)), (root,), words, ACCEPTS, differs)


CASES = (
    sound,
    sound_linkerd,
    root_with_pathlen_0,
    issuer_without_pathlen,
    issuer_below_an_issuer,
    anchors_of_one_subject,
    anchors_of_one_subject_without_key_ids,
    expired_anchor,
    expired_anchor_beside_a_good_one,
    expired_issuer,
    leaf_from_tomorrow,
    issuer_that_outlives_its_anchor,
    leaf_that_outlives_its_issuer,
    another_generations_anchor,
    swapped_signing_key,
    swapped_signing_key_with_the_right_key_id,
    wrong_key_identifier,
    chain_in_the_wrong_order,
)
