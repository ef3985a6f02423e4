"""Chains that are odd in what a certificate says: algorithms, extensions, identities. Docstring = the case."""

from __future__ import annotations

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import ExtendedKeyUsageOID

from tests.unit.odd_certificates import ISSUER, LEAF, LINKERD_LEAF, ROOT, rsa_key, version_1
from tests.unit.odd_chain import ACCEPTS, REFUSES, Case, case


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


def version_1_root() -> Case:
    """X.509 version 1, as `openssl x509 -req` makes it without further ado: it cannot say that it is a CA."""
    root = version_1()
    issuer = ISSUER.but(aki=False).under(root)
    words = "not-v3 not-a-ca wrong-key-usage missing-ski missing-aki"
    return case((LEAF.under(issuer), issuer), (root,), words, REFUSES)


CASES = (
    version_1_root,
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
