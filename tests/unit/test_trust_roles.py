"""How each role says its trust, in real certificates: told and written back, refused where a mesh would read it alike
to nobody."""

from __future__ import annotations

import base64
from base64 import b64encode
from typing import Any

import pytest
from cryptography import x509

from pki.bundle import to_pem
from pki.errors import PkiError
from pki.material import IssuerMaterial
from roles.consul.trust import next_configuration
from roles.consul.trust import way as consul_way
from roles.handover import ObjectTrust, Told, encoded
from roles.istio.trust import IstioTrust, ambient_way, sidecar_way
from roles.linkerd.trust import LinkerdTrust
from roles.linkerd.trust import way as linkerd_way
from rollout.model.rekey import Signer
from tests.unit.mesh_keys import keys_of

ISTIO, LINKERD = IstioTrust("istio-system"), LinkerdTrust("linkerd")
KINDS: dict[str, ObjectTrust] = {"istio": ISTIO, "linkerd": LINKERD}


@pytest.fixture(scope="module")
def minted(
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[int, tuple[x509.Certificate, x509.Certificate, IssuerMaterial]]:
    """Anchor, issuer and material of two generations."""
    keys = keys_of("istio", tmp_path_factory.mktemp("pki"), generations=2)
    return {n: (*keys.certificates(Signer(n, 1)), keys.material(Signer(n, 1))) for n in (1, 2)}


Minted = dict[int, tuple[x509.Certificate, x509.Certificate, IssuerMaterial]]


def path_of(item: Any) -> str:
    plural = {"Secret": "secrets", "ConfigMap": "configmaps"}.get(item["kind"], "")
    meta = item["metadata"]
    return f"/api/v1/namespaces/{meta.get('namespace')}/{plural}/{meta['name']}"


def written(hand: ObjectTrust, minted: Minted, trusts: tuple[int, ...], signer: int) -> dict[str, Any]:
    _, issuer, material = minted[signer]
    made = hand.objects([minted[n][0] for n in trusts], issuer, material)
    return {path_of(item): item for item in made if item["kind"] != "Namespace"}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("trusts", [(1,), (2,), (1, 2), (2, 1)])
@pytest.mark.parametrize("signer", [1, 2])
def test_what_is_written_is_what_is_read_back(
    minted: Minted, kind: str, trusts: tuple[int, ...], signer: int
) -> None:
    found = written(KINDS[kind], minted, trusts, signer)
    assert set(KINDS[kind].reads) == set(found)
    told = KINDS[kind].told(found)
    assert told == Told(tuple(minted[n][0] for n in trusts), minted[signer][1])


@pytest.mark.parametrize("kind", KINDS)
def test_a_mesh_that_was_told_nothing_is_empty_and_signed_by_nobody(kind: str) -> None:
    assert KINDS[kind].told(dict.fromkeys(KINDS[kind].reads)) == Told()


@pytest.mark.parametrize("kind", KINDS)
def test_a_longer_bundle_begins_with_the_bytes_of_the_shorter_one(minted: Minted, kind: str) -> None:
    """istio/istio#59909: up to 1.29.0 istiod compares bytes, so bundles grow at their end."""

    def bundle(*trusts: int) -> str:
        found = written(KINDS[kind], minted, trusts, 1)
        secret = found[ISTIO.reads[0]] if kind == "istio" else found[LINKERD.reads[0]]
        data = secret["data"]
        return base64.b64decode(data["root-cert.pem"]).decode() if kind == "istio" else data["ca-bundle.crt"]

    assert bundle(1, 2) == bundle(1) + bundle(2)


@pytest.mark.parametrize("kind", KINDS)
def test_no_anchor_is_in_the_chain_and_no_root_key_in_any_object(minted: Minted, kind: str) -> None:
    text = str(written(KINDS[kind], minted, (1, 2), 2))
    keys = [
        base64.b64decode(found).decode()
        for found in _entries(text)
        if b"PRIVATE KEY" in base64.b64decode(found)
    ]
    assert keys == [minted[2][2].key_pem.decode()]
    assert to_pem([minted[2][0]]) not in minted[2][2].chain_pem


def _entries(text: str) -> list[str]:
    return [part for part in text.split("'") if part.startswith("LS0tLS1")]


def test_linkerds_anchors_are_applied_before_the_issuer_that_they_verify(minted: Minted) -> None:
    _, issuer, material = minted[1]
    kinds = [item["kind"] for item in LINKERD.objects([minted[1][0]], issuer, material)]
    assert kinds == ["Namespace", "ConfigMap", "Secret"]


@pytest.mark.parametrize(
    ("key", "content", "says"),
    [
        ("root-cert.pem", "not base64!", "not base64"),
        ("root-cert.pem", encoded("hello"), "outside of the certificates"),
        (
            "ca-cert.pem",
            encoded("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
            "not a certificate",
        ),
        ("tls.crt", encoded("anything"), "istiod then signs with that"),
    ],
)
def test_a_secret_that_istiod_would_read_differently_is_refused_by_its_path(
    minted: Minted, key: str, content: str, says: str
) -> None:
    found = written(ISTIO, minted, (1,), 1)
    (path,) = ISTIO.reads
    found[path] = {**found[path], "data": {**found[path]["data"], key: content}}
    with pytest.raises(PkiError, match=says) as caught:
        ISTIO.told(found)
    assert caught.value.where
    assert caught.value.hint


def test_every_copy_of_istios_bundle_is_looked_at(minted: Minted) -> None:
    def copy(namespace: str, *trusts: int) -> dict[str, Any]:
        data = {"root-cert.pem": to_pem([minted[n][0] for n in trusts])}
        return {"metadata": {"name": "istio-ca-root-cert", "namespace": namespace}, "data": data}

    def webhooks(name: str, namespace: str, *trusts: int) -> dict[str, Any]:
        bundle = b64encode(to_pem([minted[n][0] for n in trusts]).encode()).decode()
        client = {"service": {"name": "istiod", "namespace": namespace}, "caBundle": bundle}
        hooks = [{"name": "object", "clientConfig": client}, {"name": "namespace", "clientConfig": client}]
        return {"metadata": {"name": name}, "webhooks": hooks}

    maps, mutating, validating = ISTIO.copies_at
    injectors = [webhooks("injector", "istio-system", 1, 2), webhooks("elsewhere", "other", 1)]
    found = ISTIO.copies(
        {
            maps: {"items": [copy("shop", 1, 2), copy("pay", 1), {"metadata": {"namespace": "new"}}]},
            mutating: {"items": [*injectors, webhooks("unpatched", "istio-system")]},
            validating: None,
        }
    )
    assert [(c.where, len(c.bundle)) for c in found] == [
        ("ConfigMap shop/istio-ca-root-cert", 2),
        ("ConfigMap pay/istio-ca-root-cert", 1),
        ("ConfigMap new/istio-ca-root-cert", 0),
        ("webhooks injector", 2),
    ]


def test_a_consul_that_signs_without_a_limit_is_not_rotated() -> None:
    root = IssuerMaterial("chain", b"key")
    with pytest.raises(PkiError, match="without a limit"):
        next_configuration({"Provider": "consul", "Config": {"CSRMaxPerSecond": 0}}, root)
    paced = {"Provider": "consul", "Config": {"CSRMaxPerSecond": 0, "CSRMaxConcurrent": 2}}
    assert next_configuration(paced, root)["Config"]["CSRMaxConcurrent"] == 2


def test_linkerd_keeps_no_further_copies() -> None:
    assert LINKERD.copies({}) == ()


def test_each_way_says_what_makes_its_mesh_follow() -> None:
    pushed, unpushed = sidecar_way("istio-system", pushed=True), sidecar_way("istio-system", pushed=False)
    assert (pushed.restart_for_trust, unpushed.restart_for_trust) == (False, True)
    assert pushed.restart_for_leaf, "another signer alone renews nothing before half of a leaf's life"
    assert {w.name for w in linkerd_way("linkerd").control_plane} >= {
        "linkerd-identity",
        "linkerd-proxy-injector",
    }
    istiods = {w.selector for w in (*pushed.control_plane, *ambient_way("istio-system").control_plane)}
    assert istiods == {"app=istiod"}, "of every revision, by its chart's own label"
    assert (consul_way().both_at_once, consul_way().prunes) == (True, True)
    assert (ambient_way("istio-system").agent, ambient_way("istio-system").agent_mark[1]) == (
        "ztunnel",
        "enabled",
    )


BUILT_IN = {"Provider": "consul", "Config": {"LeafCertTTL": "72h", "CSRMaxPerSecond": 50}, "State": None}


def test_consul_is_given_another_root_and_keeps_its_other_settings(minted: Minted) -> None:
    material = minted[2][2]
    found = next_configuration(BUILT_IN, material)
    assert found["Provider"] == "consul"
    assert found["ForceWithoutCrossSigning"] is False
    assert found["Config"] == {
        "LeafCertTTL": "72h",
        "CSRMaxPerSecond": 50,
        "PrivateKey": material.key_pem.decode(),
        "RootCert": material.chain_pem,
    }
    assert "PrivateKey" not in BUILT_IN["Config"], "what was read stays as it was"  # type: ignore[operator]


@pytest.mark.parametrize("lives", ["72h", "83h59m59s", "1h0m0s", "90m", "", None])
def test_consul_rotates_while_leaves_live_less_than_half_of_the_bridge(
    minted: Minted, lives: str | None
) -> None:
    now = {"Provider": "consul", "Config": {"LeafCertTTL": lives}}
    assert next_configuration(now, minted[2][2])["Config"]["RootCert"]


@pytest.mark.parametrize(
    ("now", "says"),
    [
        ({"Provider": "vault", "Config": {}}, "only the built-in one takes a root from here"),
        ({}, "its CA provider is None"),
        ({"Provider": "consul", "Config": {"LeafCertTTL": "84h"}}, "LeafCertTTL is 84h: twice that outlives"),
        ({"Provider": "consul", "Config": {"LeafCertTTL": "8760h0m0s"}}, "outlives"),
        ({"Provider": "consul", "Config": {"LeafCertTTL": "three days"}}, "is no duration"),
        ({"Provider": "consul", "Config": {"LeafCertTTL": 259200000000000}}, "is no duration"),
    ],
)
def test_consul_is_not_rotated_where_the_bridge_would_end_first(
    minted: Minted, now: dict[str, Any], says: str
) -> None:
    with pytest.raises(PkiError, match=says) as caught:
        next_configuration(now, minted[2][2])
    assert (caught.value.where, bool(caught.value.hint)) == ("Connect CA", True)
