"""What the lab's istiod takes as its CA, what it refuses, and what it signs: upstream's rules, trap by trap."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

import pytest
from cryptography import x509

from lab.mesh import istio
from lab.mesh.certificates import Refused, chain_fault, uris_of
from tests.unit.mesh_authorities import (
    anchor,
    cacerts,
    certificates,
    issuer,
    now,
    pem,
    public_key,
    tls_secret,
)

A, B = anchor(1), anchor(2)
ISSUER_A, ISSUER_B = issuer(A, 1), issuer(B, 2)


def load(files: dict[str, bytes]) -> istio.Authority:
    return istio.load(files, now())


def fault(
    before: dict[str, bytes], after: dict[str, bytes], *, multiroot: bool = True, at: str = "1.31.1"
) -> str:
    return istio.root_change_fault(load(before), load(after), multiroot=multiroot, version=at)


def test_a_leaf_is_a_workload_that_leads_to_the_root_and_has_no_other_name() -> None:
    authority = load(cacerts(ISSUER_A, A))
    name = istio.identity("cluster.local", "drill", "pair")
    chain = istio.certify(authority, public_key(), name, timedelta(minutes=10), now())
    assert uris_of(chain[0]) == ("spiffe://cluster.local/ns/drill/sa/pair",)
    assert chain[1:] == (ISSUER_A.certificate,)
    assert chain_fault(chain[0], chain[1:], certificates(A), now()) == ""
    assert chain_fault(chain[0], chain[1:], certificates(B), now()) != ""


def test_a_leaf_never_outlives_its_signer() -> None:
    short = issuer(A, 3, timedelta(minutes=5))
    chain = istio.certify(
        load(cacerts(short, A)), public_key(), "spiffe://x/ns/a/sa/b", timedelta(days=1), now()
    )
    assert chain[0].not_valid_after_utc == short.certificate.not_valid_after_utc


@pytest.mark.parametrize("missing", ["ca-cert.pem", "ca-key.pem", "root-cert.pem", "cert-chain.pem"])
def test_an_incomplete_set_is_refused(missing: str) -> None:
    files = cacerts(ISSUER_A, A)
    del files[missing]
    with pytest.raises(Refused, match=missing):
        load(files)


def test_a_key_of_another_certificate_is_refused() -> None:
    with pytest.raises(Refused, match="does not belong"):
        load(cacerts(ISSUER_A, A) | {"ca-key.pem": cacerts(ISSUER_B, B)["ca-key.pem"]})


def test_a_chain_that_leads_to_no_root_is_refused() -> None:
    with pytest.raises(Refused, match="does not lead to a root"):
        load(cacerts(ISSUER_B, A))


def test_no_refusal_shows_a_key() -> None:
    with pytest.raises(Refused) as refused:
        load(cacerts(ISSUER_A, A) | {"ca-key.pem": b"SECRET"})
    assert "SECRET" not in str(refused.value)
    assert "PRIVATE" not in repr(load(cacerts(ISSUER_A, A)))


def test_tls_crt_in_the_secret_hides_the_files_that_have_istios_own_names() -> None:
    authority = load(cacerts(ISSUER_A, A) | tls_secret(ISSUER_B, B))
    assert authority.signer.certificate == ISSUER_B.certificate
    assert authority.roots == certificates(B)


def test_a_root_change_needs_the_flag_whatever_it_is() -> None:
    assert "ISTIO_MULTIROOT_MESH" in fault(cacerts(ISSUER_A, A), cacerts(ISSUER_A, A, B), multiroot=False)


def test_a_new_signer_under_the_same_roots_needs_no_flag() -> None:
    assert fault(cacerts(ISSUER_A, A, B), cacerts(ISSUER_B, A, B), multiroot=False) == ""


def test_a_swap_of_the_root_is_refused_and_the_three_steps_are_not() -> None:
    assert fault(cacerts(ISSUER_A, A), cacerts(ISSUER_B, B)) != ""
    steps = [cacerts(ISSUER_A, A), cacerts(ISSUER_A, A, B), cacerts(ISSUER_B, A, B), cacerts(ISSUER_B, B)]
    assert [fault(before, after) for before, after in pairwise(steps)] == ["", "", ""]


def test_the_new_root_may_come_first_since_1_29_1_and_before_it_had_to_be_joined_on() -> None:
    three = anchor(3)
    before, mixed = cacerts(ISSUER_A, A, B), cacerts(ISSUER_A, A, three, B)
    assert fault(before, mixed) == ""
    assert fault(before, mixed, at="1.29.0") != ""
    assert fault(before, cacerts(ISSUER_A, A, B, three), at="1.28.2") == ""


def test_istiods_own_certificate_is_for_its_service_and_from_its_own_ca() -> None:
    chain = istio.own_certificate(load(cacerts(ISSUER_A, A)), public_key(), now())
    names = chain[0].extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert istio.SERVICE in names.get_values_for_type(x509.DNSName)
    assert chain_fault(chain[0], chain[1:], certificates(A), now()) == ""


def test_roots_are_handed_on_as_they_are() -> None:
    assert load(cacerts(ISSUER_A, A, B)).roots_pem == pem(A, B)
