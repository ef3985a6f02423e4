"""What the lab's Consul servers do with a new root: cross-sign, list both, prune. And what they refuse."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from lab.mesh import consul
from lab.mesh.certificates import Refused, bundle, chain_fault, key_to_pem, mint_root, to_pem, uris_of
from tests.unit.mesh_authorities import now, public_key

CLUSTER = "0b6e4e5a-9d3f-4f2e-8a41-2f1d6f1f5a11"
URI = f"spiffe://{CLUSTER}.consul"


def begun() -> consul.State:
    return consul.begun(CLUSTER, 45.0, now())


def new_root() -> dict[str, Any]:
    key = ec.generate_private_key(ec.SECP256R1())
    root = mint_root("Consul CA g2", URI, key, timedelta(days=100), now=now())
    return {"PrivateKey": key_to_pem(key), "RootCert": to_pem([root])}


def put(state: consul.State, **body: Any) -> consul.State:
    config = body.pop("Config", None) or new_root()
    return consul.configured(state, {"Provider": "consul", "Config": config, **body}, now())


def fault(state: consul.State, *trusted: consul.Root) -> str:
    chain = consul.certify(state, "pair", public_key(), now())
    return chain_fault(chain[0], chain[1:], [root.certificate for root in trusted], now())


def test_a_root_names_its_cluster_and_a_leaf_its_service() -> None:
    state = begun()
    assert uris_of(state.active.certificate) == (URI,)
    leaf = consul.certify(state, "pair", public_key(), now())[0]
    assert uris_of(leaf) == (f"{URI}/ns/default/dc/dc1/svc/pair",)
    assert fault(state, state.active) == ""


def test_after_a_rotation_old_only_and_new_only_verifiers_both_take_a_new_leaf() -> None:
    before = begun()
    after = put(before)
    old, new = after.roots
    assert (old.active, new.active) == (False, True)
    assert fault(after, old) == ""
    assert fault(after, new) == ""
    assert fault(after) != ""


def test_forced_without_cross_signing_an_old_only_verifier_is_lost() -> None:
    after = put(begun(), ForceWithoutCrossSigning=True)
    old, new = after.roots
    assert fault(after, new) == ""
    assert fault(after, old) != ""


def test_the_cross_signed_certificate_is_the_new_root_under_the_old_for_seven_days() -> None:
    after = put(begun())
    old, new = after.roots
    (crossed,) = bundle(new.intermediates[0])
    assert (crossed.subject, crossed.issuer) == (new.certificate.subject, old.certificate.subject)
    assert crossed.public_key() == new.certificate.public_key()
    assert crossed.not_valid_after_utc - now() <= timedelta(days=7)
    assert chain_fault(crossed, (), [old.certificate], now() + timedelta(days=6)) == ""


def test_the_old_root_goes_after_twice_the_leafs_life_and_not_before() -> None:
    after = put(begun())
    assert consul.pruned(after, now() + timedelta(seconds=89)) is after
    pruned = consul.pruned(after, now() + timedelta(seconds=92))
    assert [root.id for root in pruned.roots] == [after.active.id]
    assert pruned.index > after.index


def test_the_old_roots_key_is_forgotten_at_the_rotation() -> None:
    assert [bool(root.key_pem) for root in put(begun()).roots] == [False, True]


def test_the_same_root_again_is_no_rotation() -> None:
    config = new_root()
    once = put(begun(), Config=config)
    assert put(once, Config=config).roots == once.roots


def test_a_ttl_alone_changes_no_root() -> None:
    state = put(begun(), Config={"LeafCertTTL": "1m30s"})
    assert state.leaf_seconds == 90
    assert len(state.roots) == 1


@pytest.mark.parametrize(
    ("config", "why"),
    [
        ({"RootCert": new_root()["RootCert"]}, "private key"),
        ({"PrivateKey": "SECRET", "RootCert": new_root()["RootCert"]}, "cannot be read"),
        ({"PrivateKey": new_root()["PrivateKey"], "RootCert": new_root()["RootCert"]}, "not a pair"),
        ({"LeafCertTTL": "soon"}, "not a duration"),
    ],
    ids=["no key", "no real key", "another's key", "no duration"],
)
def test_what_does_not_fit_is_refused_and_names_no_key(config: dict[str, Any], why: str) -> None:
    with pytest.raises(Refused, match=why) as refused:
        put(begun(), Config=config)
    assert "SECRET" not in str(refused.value)


def test_another_provider_is_refused() -> None:
    with pytest.raises(Refused, match="vault"):
        put(begun(), Provider="vault")


def test_a_state_survives_its_file() -> None:
    state = put(begun())
    assert consul.load(consul.dump(state)) == state


def test_neither_document_nor_repr_shows_a_key() -> None:
    state = put(begun())
    shown = repr(state), str(consul.roots_document(state)), str(consul.configuration_document(state))
    assert not any("PRIVATE KEY" in text for text in shown)


def test_roots_are_listed_as_consul_lists_them() -> None:
    state = put(begun())
    document = consul.roots_document(state)
    assert document["ActiveRootID"] == state.active.id
    assert document["TrustDomain"] == f"{CLUSTER}.consul"
    assert [row["Active"] for row in document["Roots"]] == [False, True]
    assert document["Roots"][1]["IntermediateCerts"] == list(state.active.intermediates)
