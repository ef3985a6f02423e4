"""Minted CAs hold up before OpenSSL, not only before the library that made them."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from pki.errors import PkiError
from pki.mint import Authority, Subject, cross_sign, mint_issuer, mint_leaf, mint_trust_anchor
from pki.profile import Identity, profile
from pki.verify.chain import verify_chain
from pki.verify.parts import authority_key_id, subject_key_id

NOW = datetime.now(UTC)
YEAR = timedelta(days=365)


def anchor(generation: int = 1) -> Authority:
    return mint_trust_anchor(Subject("root.linkerd.cluster.local", generation), 10 * YEAR, now=NOW)


def issuer(of: Authority, generation: int = 1) -> Authority:
    return mint_issuer(Subject("identity.linkerd.cluster.local", generation), of, YEAR, now=NOW)


def openssl_accepts(leaf: Authority, anchors: list[Authority], folder: Path) -> bool:
    (folder / "anchors.pem").write_bytes(b"".join(a.certificate.public_bytes(Encoding.PEM) for a in anchors))
    (folder / "issuer.pem").write_bytes(leaf.certificate.public_bytes(Encoding.PEM))
    argv = ["openssl", "verify", "-x509_strict", "-CAfile", "anchors.pem", "issuer.pem"]
    return subprocess.run(argv, cwd=folder, capture_output=True, check=False).returncode == 0


def test_openssl_accepts_an_issuer_under_its_own_anchor(tmp_path: Path) -> None:
    root = anchor()
    assert openssl_accepts(issuer(root), [root], tmp_path)


def test_openssl_refuses_an_issuer_under_another_generations_anchor(tmp_path: Path) -> None:
    assert not openssl_accepts(issuer(anchor(1)), [anchor(2)], tmp_path)


def test_a_bundle_of_two_generations_accepts_issuers_of_both(tmp_path: Path) -> None:
    old, new = anchor(1), anchor(2)
    assert openssl_accepts(issuer(old, 1), [new, old], tmp_path)
    assert openssl_accepts(issuer(new, 2), [new, old], tmp_path)


def test_an_issuer_never_outlives_its_anchor() -> None:
    short = mint_trust_anchor(Subject("root", 1), timedelta(days=30), now=NOW)
    with pytest.raises(ValueError, match="after its anchor"):
        issuer(short)


def test_no_ca_carries_an_extended_key_usage() -> None:
    for authority in (root := anchor(), issuer(root)):
        with pytest.raises(x509.ExtensionNotFound):
            authority.certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage)


def test_an_issuer_may_not_have_cas_below_it() -> None:
    constraints = issuer(anchor()).certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    assert (constraints.value.ca, constraints.value.path_length) == (True, 0)


def test_the_repr_of_an_authority_shows_no_key() -> None:
    assert repr(anchor()) == "Authority(CN=root.linkerd.cluster.local,OU=g1)"


LINKERD = profile("linkerd", "cluster.local")
WEB = Identity("shop", "web")
HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("kind", "domain", "kept"),
    [
        ("istio", "cluster.local", x509.UniformResourceIdentifier("spiffe://cluster.local/ns/shop/sa/web")),
        (
            "linkerd",
            "cluster.local",
            x509.DNSName("web.shop.serviceaccount.identity.linkerd.cluster.local"),
        ),
        (
            "consul",
            "1-2.consul",
            x509.UniformResourceIdentifier("spiffe://1-2.consul/ns/shop/dc/dc1/svc/web"),
        ),
    ],
)
def test_a_leaf_has_exactly_the_identity_of_its_mesh(kind: str, domain: str, kept: x509.GeneralName) -> None:
    leaf = mint_leaf(profile(kind, domain), WEB, issuer(anchor()), HOUR, now=NOW)
    san = leaf.certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    assert (list(san.value), san.critical) == ([kept], True)


def test_a_leaf_is_for_both_sides_of_a_connection() -> None:
    leaf = mint_leaf(LINKERD, WEB, issuer(anchor()), HOUR, now=NOW)
    eku = leaf.certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    assert set(eku.value) == {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH}
    assert "PRIVATE" not in repr(leaf)


def test_a_leaf_never_outlives_its_issuer() -> None:
    with pytest.raises(PkiError, match="after its issuer"):
        mint_leaf(LINKERD, WEB, issuer(anchor()), 2 * YEAR, now=NOW)


def test_a_cross_signed_root_ends_before_both_of_its_roots() -> None:
    long, short = anchor(1), mint_trust_anchor(Subject("root", 2), 3 * HOUR, now=NOW)
    for new, by in ((long, short), (short, long)):
        with pytest.raises(PkiError, match="the cross-signed certificate would end"):
            cross_sign(new.certificate, by, now=NOW)
        assert cross_sign(new.certificate, by, now=NOW, lifetime=HOUR)


def test_a_cross_signed_root_keeps_name_and_key_and_names_its_signers_key() -> None:
    old, new = anchor(1), anchor(2)
    crossed = cross_sign(new.certificate, old, now=NOW)
    assert (crossed.subject, crossed.public_key()) == (new.certificate.subject, new.certificate.public_key())
    assert authority_key_id(crossed) == subject_key_id(old.certificate)


@pytest.mark.parametrize("domain", ["cluster.local", ".consul", "consul", "1-2.consul.example"])
def test_consuls_trust_domain_is_its_clusters(domain: str) -> None:
    with pytest.raises(PkiError, match=r"<cluster-id>\.consul"):
        profile("consul", domain)


def test_an_unknown_mesh_has_no_profile() -> None:
    with pytest.raises(PkiError, match="one of: cilium, consul, istio, linkerd"):
        profile("osm", "cluster.local")


def test_a_trust_domain_may_be_longer_than_a_common_name() -> None:
    own = profile("istio", "mesh." + "a" * 60 + ".example")
    root = mint_trust_anchor(Subject(own.anchor_common_name, 1), 2 * YEAR, now=NOW)
    assert len(own.anchor_common_name) == 64
    leaf = mint_leaf(own, WEB, issuer(root), HOUR, now=NOW)
    assert verify_chain((leaf.certificate,), (), own, now=NOW)[-1].reason.value == "does-not-chain"
