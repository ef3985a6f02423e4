"""What the lab's identity controller and Linkerd proxies take and refuse: upstream's rules, trap by trap."""

from __future__ import annotations

from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from lab.mesh import linkerd
from lab.mesh.certificates import Refused, Signer, dns_names_of, key_to_pem, uris_of
from lab.mesh.proxies import signing_request
from tests.unit.mesh_authorities import (
    anchor,
    certificates,
    issuer,
    now,
    public_key,
    signer,
    tls_secret,
)

A, B = anchor(1), anchor(2)
ISSUER_A, ISSUER_B = issuer(A, 1), issuer(B, 2)
NAME = linkerd.identity("cluster.local", "drill", "pair")


def load(files: dict[str, bytes], *anchors: x509.Certificate) -> Signer:
    return linkerd.load_issuer(files, anchors or certificates(A), now())


def leaf(from_issuer: Signer) -> tuple[x509.Certificate, ...]:
    return linkerd.certify(from_issuer, public_key(), NAME, timedelta(minutes=10), now())


def test_a_leaf_has_exactly_one_dns_name_and_no_uri() -> None:
    first = leaf(signer(ISSUER_A))[0]
    assert dns_names_of(first) == ("pair.drill.serviceaccount.identity.linkerd.cluster.local",)
    assert uris_of(first) == ()


def test_a_name_that_is_too_long_for_a_subject_is_a_subject_alternative_name_alone() -> None:
    long = linkerd.identity("cluster.local", "linkerd", "linkerd-identity")
    first = linkerd.certify(signer(ISSUER_A), public_key(), long, timedelta(minutes=10), now())[0]
    assert len(long) > 64
    assert (dns_names_of(first), list(first.subject)) == ((long,), [])
    asked = x509.load_pem_x509_csr(signing_request(x509.DNSName(long), long)[1].encode())
    assert linkerd.request_fault(asked, long) == ""


def test_an_issuer_under_a_new_anchor_is_refused_by_a_controller_that_started_with_the_old_bundle() -> None:
    with pytest.raises(Refused, match="trust anchors"):
        load(tls_secret(ISSUER_B, B), *certificates(A))
    assert load(tls_secret(ISSUER_B, B), *certificates(A, B)).certificate == ISSUER_B.certificate


def test_the_secrets_own_ca_crt_trusts_nobody() -> None:
    with pytest.raises(Refused):
        load(tls_secret(ISSUER_B, B), *certificates(A))


def test_only_p256_issuers_are_taken() -> None:
    for key in (ec.generate_private_key(ec.SECP384R1()), rsa.generate_private_key(65537, 2048)):
        with pytest.raises(Refused, match="P-256"):
            load(tls_secret(ISSUER_A, A) | {"tls.key": key_to_pem(key).encode()})


def test_an_issuer_with_anothers_key_or_without_one_is_refused() -> None:
    with pytest.raises(Refused, match="does not belong"):
        load(tls_secret(ISSUER_A, A) | {"tls.key": tls_secret(ISSUER_B, B)["tls.key"]})
    with pytest.raises(Refused, match="missing"):
        load({"tls.crt": tls_secret(ISSUER_A, A)["tls.crt"]})


def test_a_leaf_is_no_issuer() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    chain = linkerd.certify(signer(ISSUER_A), key.public_key(), NAME, timedelta(hours=1), now())
    assert linkerd.issuer_fault(Signer(chain[0], key, chain[1:]), certificates(A), now()) != ""


def test_an_issuer_that_expires_while_in_use_is_noticed() -> None:
    late = ISSUER_A.certificate.not_valid_after_utc + timedelta(seconds=1)
    assert linkerd.issuer_fault(signer(ISSUER_A), certificates(A), now()) == ""
    assert linkerd.issuer_fault(signer(ISSUER_A), certificates(A), late) != ""


def test_a_proxy_with_the_old_bundle_rejects_its_own_new_leaf_and_one_with_both_does_not() -> None:
    new = leaf(signer(ISSUER_B))
    assert linkerd.leaf_fault(new, certificates(A), NAME, now()) != ""
    assert linkerd.leaf_fault(new, certificates(A, B), NAME, now()) == ""


def test_a_proxy_takes_no_leaf_for_somebody_else() -> None:
    assert linkerd.leaf_fault(leaf(signer(ISSUER_A)), certificates(A), "other.drill", now()) != ""


def test_a_leaf_never_outlives_its_issuer() -> None:
    short = issuer(A, 3, timedelta(minutes=2))
    assert leaf(signer(short))[0].not_valid_after_utc == short.certificate.not_valid_after_utc


def test_a_proxy_renews_at_seventy_percent() -> None:
    first, at = leaf(signer(ISSUER_A))[0], now()
    left = first.not_valid_after_utc - at
    assert linkerd.renewal(first, at) == left * 0.7


@pytest.mark.parametrize(
    "name",
    [x509.UniformResourceIdentifier("spiffe://x/ns/drill/sa/pair"), x509.DNSName("other")],
    ids=["a URI", "another name"],
)
def test_a_request_for_anything_but_one_dns_name_is_refused(name: x509.GeneralName) -> None:
    wrong = x509.load_pem_x509_csr(signing_request(name)[1].encode())
    right = x509.load_pem_x509_csr(signing_request(x509.DNSName(NAME), NAME)[1].encode())
    assert linkerd.request_fault(wrong, NAME) != ""
    assert linkerd.request_fault(right, NAME) == ""
