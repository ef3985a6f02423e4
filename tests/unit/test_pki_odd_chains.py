"""Odd chains, in the manner of x509-limbo: each function's docstring is the case, its answer both verifiers' verdicts.

Every case runs through our verifier and through the real `openssl verify`; where the two differ, the case says why.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import ExtendedKeyUsageOID

from pki.profile import profile
from pki.verify.chain import Chain, verify_chain
from pki.verify.openssl import openssl_refusal
from tests.unit.odd_certificates import (
    DAY,
    ISSUER,
    LEAF,
    LINKERD_LEAF,
    NOW,
    ROOT,
    Made,
    key,
    rsa_key,
)

ACCEPTS, REFUSES = "openssl accepts", "openssl refuses"


@dataclass(frozen=True)
class Case:
    """``words``: all reasons of ours. ``differs``: why ours refuses what OpenSSL accepts."""

    chain: Chain
    anchors: Chain
    words: tuple[str, ...]
    openssl: str
    differs: str = ""
    mesh: str = "istio"
    domain: str = "cluster.local"


def case(
    chain: tuple[Made, ...],
    anchors: tuple[Made, ...],
    words: str,
    openssl: str,
    differs: str = "",
    mesh: str = "istio",
    domain: str = "cluster.local",
) -> Case:
    certs = tuple(each.cert for each in chain)
    return Case(certs, tuple(a.cert for a in anchors), tuple(words.split()), openssl, differs, mesh, domain)


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


def rsa_issuer_for_linkerd() -> Case:
    """Linkerd's identity controller takes P-256 issuers only."""
    root = ROOT.root()
    issuer = ISSUER.but(own=rsa_key()).under(root)
    differs = "a rule of Linkerd's (pkg/issuercerts), not of X.509"
    return case(
        (LINKERD_LEAF.under(issuer), issuer), (root,), "wrong-algorithm", ACCEPTS, differs, mesh="linkerd"
    )


def rsa_issuer_for_istio() -> Case:
    """Negative control: Istio takes it."""
    root = ROOT.but(own=rsa_key()).root()
    issuer = ISSUER.but(own=rsa_key()).under(root)
    return case((LEAF.under(issuer), issuer), (root,), "", ACCEPTS)


def rsa_1024_root() -> Case:
    """A root whose key is too short for anybody."""
    root = ROOT.but(own=rsa_key(1024)).root()
    issuer = ISSUER.under(root)
    differs = "at security level 1 OpenSSL accepts 1024 bits"
    return case((LEAF.under(issuer), issuer), (root,), "wrong-algorithm", ACCEPTS, differs)


def short_hash() -> Case:
    """An issuer signed over SHA-224: the weakest that the library still signs with."""
    root = ROOT.root()
    issuer = ISSUER.but(hash=hashes.SHA224()).under(root)
    differs = "OpenSSL accepts SHA-224; Go and webpki do not know it for signatures"
    return case((LEAF.under(issuer), issuer), (root,), "wrong-algorithm", ACCEPTS, differs)


def eku_on_the_issuer() -> Case:
    """serverAuth on a CA: Go takes it as a limit, so clients' leaves fail there."""
    root = ROOT.root()
    issuer = ISSUER.but(eku=(ExtendedKeyUsageOID.SERVER_AUTH,)).under(root)
    differs = "OpenSSL was asked about a server, for which the limit holds"
    return case((LEAF.under(issuer), issuer), (root,), "eku-on-ca", ACCEPTS, differs)


def client_eku_on_the_root() -> Case:
    """clientAuth only, on the root: no server below is believed."""
    root = ROOT.but(eku=(ExtendedKeyUsageOID.CLIENT_AUTH,)).root()
    issuer = ISSUER.under(root)
    return case((LEAF.under(issuer), issuer), (root,), "eku-on-ca", REFUSES)


def uri_name_constraints() -> Case:
    """The issuer may name its own trust domain only: sound in Go and OpenSSL, refused by webpki (ztunnel)."""
    root = ROOT.root()
    limit = x509.NameConstraints([x509.UniformResourceIdentifier("cluster.local")], None)
    issuer = ISSUER.but(extra=((limit, True),)).under(root)
    differs = "OpenSSL implements them; webpki from 0.103.13 on refuses URI constraints"
    return case((LEAF.under(issuer), issuer), (root,), "name-constraints", ACCEPTS, differs)


def issuer_without_aki() -> Case:
    """RFC 5280 §4.2.1.1 asks for it in everything that is not self-signed."""
    root = ROOT.root()
    issuer = ISSUER.but(aki=False).under(root)
    return case((LEAF.under(issuer), issuer), (root,), "missing-aki", REFUSES)


def issuer_without_ski() -> Case:
    """Its leaves have nothing to name."""
    root = ROOT.root()
    issuer = ISSUER.but(ski=False).under(root)
    return case((LEAF.under(issuer), issuer), (root,), "missing-ski does-not-chain", REFUSES)


def issuer_that_is_no_ca() -> Case:
    """CA:false in the middle of a chain."""
    root = ROOT.root()
    issuer = ISSUER.but(ca=False).under(root)
    words = "not-a-ca wrong-key-usage wrong-pathlen"
    return case((LEAF.under(issuer), issuer), (root,), words, REFUSES)


def ca_not_critical() -> Case:
    """RFC 5280 §4.2.1.9: a CA says so as critical."""
    root = ROOT.root()
    issuer = ISSUER.but(ca_critical=False).under(root)
    return case((LEAF.under(issuer), issuer), (root,), "not-a-ca", REFUSES)


def issuer_without_key_usage() -> Case:
    """A CA that does not say what its key is for."""
    root = ROOT.root()
    issuer = ISSUER.but(usage=False).under(root)
    return case((LEAF.under(issuer), issuer), (root,), "wrong-key-usage", REFUSES)


def intermediate_as_anchor() -> Case:
    """The bundle holds the issuer instead of its root."""
    issuer = ISSUER.under(ROOT.root())
    words = "not-self-signed wrong-pathlen"
    return case((LEAF.under(issuer),), (issuer,), words, REFUSES)


def unknown_critical_extension() -> Case:
    """Who does not know a critical extension must refuse (RFC 5280 §4.2)."""
    root = ROOT.root()
    odd = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.99999.1"), b"\x05\x00")
    issuer = ISSUER.but(extra=((odd, True),)).under(root)
    return case((LEAF.under(issuer), issuer), (root,), "unknown-critical", REFUSES)


def leaf_with_two_identities() -> Case:
    """A URI beside Linkerd's DNS name: the proxy refuses it."""
    root = ROOT.root()
    issuer = ISSUER.under(root)
    sans = (*LINKERD_LEAF.sans, *LEAF.sans)
    differs = "a rule of the mesh"
    return case(
        (LEAF.but(sans=sans).under(issuer), issuer), (root,), "wrong-identity", ACCEPTS, differs, "linkerd"
    )


def leaf_of_another_trust_domain() -> Case:
    """A workload of a neighbour, signed by this mesh."""
    root = ROOT.root()
    issuer = ISSUER.under(root)
    san = x509.UniformResourceIdentifier("spiffe://cluster.local.evil.example/ns/shop/sa/web")
    return case(
        (LEAF.but(sans=(san,)).under(issuer), issuer),
        (root,),
        "wrong-identity",
        ACCEPTS,
        "a rule of the mesh",
    )


def leaf_for_one_side_only() -> Case:
    """serverAuth alone: the workload can be called and cannot call."""
    root = ROOT.root()
    issuer = ISSUER.under(root)
    leaf = LEAF.but(eku=(ExtendedKeyUsageOID.SERVER_AUTH,)).under(issuer)
    return case((leaf, issuer), (root,), "missing-eku", ACCEPTS, "OpenSSL was asked about a server")


def consul_root_without_its_uri() -> Case:
    """Consul's root names its cluster."""
    root = ROOT.root()
    issuer = ISSUER.under(root)
    san = x509.UniformResourceIdentifier("spiffe://1-2.consul/ns/default/dc/dc1/svc/web")
    chain = (LEAF.but(sans=(san,)).under(issuer), issuer)
    return case(chain, (root,), "wrong-identity", ACCEPTS, "a rule of Consul's", "consul", "1-2.consul")


CASES: tuple[Callable[[], Case], ...] = (
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
    rsa_issuer_for_linkerd,
    rsa_issuer_for_istio,
    rsa_1024_root,
    short_hash,
    eku_on_the_issuer,
    client_eku_on_the_root,
    uri_name_constraints,
    issuer_without_aki,
    issuer_without_ski,
    issuer_that_is_no_ca,
    ca_not_critical,
    issuer_without_key_usage,
    intermediate_as_anchor,
    unknown_critical_extension,
    leaf_with_two_identities,
    leaf_of_another_trust_domain,
    leaf_for_one_side_only,
    consul_root_without_its_uri,
)


@pytest.mark.parametrize("made", CASES, ids=lambda made: made.__name__)
def test_ours_and_openssl_say_of_each_odd_chain_what_its_case_says(made: Callable[[], Case]) -> None:
    each = made()
    ours = verify_chain(each.chain, each.anchors, profile(each.mesh, each.domain), now=NOW)
    assert {refusal.reason.value for refusal in ours} == set(each.words), "\n".join(map(str, ours))
    said = openssl_refusal(each.chain, each.anchors, now=NOW)
    assert (said is None) == (each.openssl == ACCEPTS), said


@pytest.mark.parametrize("made", CASES, ids=lambda made: made.__name__)
def test_a_case_says_why_the_two_differ_exactly_where_they_do(made: Callable[[], Case]) -> None:
    each = made()
    assert bool(each.differs) == (bool(each.words) and each.openssl == ACCEPTS)
    assert not (not each.words and each.openssl == REFUSES), "openssl is stricter than ours: that is a bug"
