"""A mesh's trust through its objects, or its CA's API, as the engine asks for it: declared, handed over, restarted."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import pytest

from pki.fingerprint import fingerprint
from pki.rotation.sighting import Authority, Party
from roles.consul.trust import way as consul_way
from roles.handover import encoded
from roles.istio.trust import IstioTrust, sidecar_way
from roles.linkerd.trust import LinkerdTrust
from roles.linkerd.trust import way as linkerd_way
from rollout.adapters.kube.api import MERGE, KubeApi, Refusal, Refused
from rollout.adapters.kube.cluster import KubeCluster
from rollout.adapters.trust.consul import ConsulTrust
from rollout.adapters.trust.home import MeshKeys
from rollout.adapters.trust.objects import STAMP, KubeTrust
from rollout.adapters.trust.proxies import Proxies
from rollout.engine.trust import Declared
from rollout.errors import StepFailed
from rollout.model.rekey import Signer
from tests.unit.mesh_keys import keys_of
from tests.unit.test_trust_roles import path_of

ISTIODS = "/apis/apps/v1/namespaces/istio-system/deployments?labelSelector=app=istiod"
OLD, NEW = Signer(1, 1), Signer(2, 1)


@dataclass
class Objects:
    """Kubernetes as far as trust goes: objects by path, applied as a whole."""

    where: str = "the test's API"
    found: dict[str, Any] = field(default_factory=dict)
    applied: list[str] = field(default_factory=list)
    code: int = 404
    ready: bool = True

    def get(self, path: str) -> Any:
        if path not in self.found:
            raise Refused(Refusal(self.code, "", "not found"))
        return self.found[path]

    def apply(self, objects: tuple[Any, ...]) -> int:
        for item in objects:
            self.applied.append(f"{item['kind']} {item['metadata']['name']}")
            if item["kind"] != "Namespace":
                self.found[path_of(item)] = item
        return len(objects)

    def request(self, method: str, path: str, **how: Any) -> None:
        assert (method, how["content_type"]) == ("PATCH", MERGE)
        if self.code != 404:
            raise Refused(Refusal(self.code, "", "not allowed"))
        self.applied.append(path)
        self.found[path] = how["body"]

    def deployment_ready(self, namespace: str, name: str) -> tuple[bool, str]:
        return self.ready, f"{namespace}/{name} has 0 of 2 Ready"


@dataclass
class Pods:
    """Parties as they stand, and which of them were restarted."""

    parties: tuple[Party, ...] = ()
    renewed: list[str] = field(default_factory=list)

    def seen(self, node: str | None, keys: MeshKeys) -> tuple[Party, ...]:
        del keys
        return tuple(party for party in self.parties if node in (None, party.node))

    def renew(self, party: Party) -> bool:
        self.renewed.append(party.name)
        return True


PARTIES = (Party("web", "shop", "n1", "r1"), Party("api", "shop", "n2", "r1"))


def trust_of(kind: str, folder: Path, generations: int = 2) -> tuple[KubeTrust, Objects]:
    objects = Objects()
    hand = IstioTrust("istio-system") if kind == "istio" else LinkerdTrust("linkerd")
    way = sidecar_way("istio-system", pushed=True) if kind == "istio" else linkerd_way("linkerd")
    made = KubeTrust(
        kind,
        way,
        hand,
        keys_of(kind, folder, generations),
        lambda: cast(KubeApi, objects),
        cast(KubeCluster, objects),
        cast(Proxies, Pods(PARTIES)),
    )
    return made, objects


def test_who_holds_nothing_of_the_mesh_is_no_party_and_not_passed_over_either(tmp_path: Path) -> None:
    trust, _ = trust_of("istio", tmp_path)
    gateway = Party("gw", "edge", "n1", "r1", uncertified=True)
    seen = replace(trust, proxies=cast(Proxies, Pods((*PARTIES, gateway)))).sight()
    assert (seen.parties, seen.uncertified) == (PARTIES, (gateway,))


@pytest.mark.parametrize("kind", ["istio", "linkerd"])
def test_what_was_handed_over_is_declared_in_its_order(kind: str, tmp_path: Path) -> None:
    trust, _ = trust_of(kind, tmp_path)
    assert trust.declared() == Declared((), None)
    for trusts, signer in (((1,), OLD), ((1, 2), OLD), ((1, 2), NEW), ((2,), NEW)):
        assert trust.hand_over(trusts, signer)
        assert trust.declared() == Declared(trust.anchors(trusts), trust.authority(signer))


def test_an_issuer_that_we_did_not_mint_is_named_by_its_fingerprint(tmp_path: Path) -> None:
    trust, objects = trust_of("istio", tmp_path / "ours")
    theirs, _ = trust_of("istio", tmp_path / "theirs")
    trust.hand_over((1,), OLD)
    stranger = theirs.keys.certificates(OLD)[1]
    (path,) = trust.hand.reads
    objects.found[path]["data"]["ca-cert.pem"] = encoded(theirs.keys.material(OLD).chain_pem)
    assert trust.declared().signer == Authority("", fingerprint(stranger))


def test_a_bundle_that_cannot_be_read_fails_the_step_and_says_where(tmp_path: Path) -> None:
    trust, objects = trust_of("istio", tmp_path)
    trust.hand_over((1,), OLD)
    (path,) = trust.hand.reads
    objects.found[path]["data"]["root-cert.pem"] = encoded(
        "-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----\n"
    )
    with pytest.raises(StepFailed, match="private key among certificates") as caught:
        trust.sight()
    assert path in caught.value.where


def test_a_forbidden_read_is_told_apart_from_nothing_there(tmp_path: Path) -> None:
    trust, objects = trust_of("istio", tmp_path)
    objects.code = 403
    with pytest.raises(StepFailed, match="403"):
        trust.declared()


def test_a_node_is_looked_at_without_the_copies_and_the_mesh_with_them(tmp_path: Path) -> None:
    trust, objects = trust_of("istio", tmp_path)
    trust.hand_over((1, 2), OLD)
    copies = trust.hand.copies_at[0]
    objects.found[copies] = {"items": [{"metadata": {"namespace": "shop"}, "data": {}}]}
    whole, one = trust.sight(), trust.sight("n2")
    assert [c.where for c in whole.copies] == ["ConfigMap shop/istio-ca-root-cert"]
    assert one.copies == ()
    assert ([p.name for p in whole.parties], [p.name for p in one.parties]) == (["web", "api"], ["api"])
    assert whole.known == {*trust.anchors((1, 2))}


def test_a_control_plane_is_restarted_once_for_what_it_was_told(tmp_path: Path) -> None:
    trust, objects = trust_of("linkerd", tmp_path)
    assert trust.restart_control_plane("one")
    count = len(objects.applied)
    assert count == 3
    assert not trust.restart_control_plane("one")
    assert len(objects.applied) == count
    assert trust.restart_control_plane("two")
    path = "/apis/apps/v1/namespaces/linkerd/deployments/linkerd-identity"
    assert objects.found[path]["spec"]["template"]["metadata"]["annotations"] == {STAMP: "two"}
    assert trust.control_plane_lacks() is None
    objects.code = 403
    with pytest.raises(StepFailed, match="cannot restart Deployment linkerd/linkerd-identity"):
        trust.restart_control_plane("three")
    objects.ready = False
    assert trust.control_plane_lacks() == "linkerd/linkerd-identity has 0 of 2 Ready"


def test_the_istiod_of_every_revision_is_restarted_and_none_at_all_is_no_control_plane(
    tmp_path: Path,
) -> None:
    trust, objects = trust_of("istio", tmp_path)
    with pytest.raises(StepFailed, match="no Deployment with app=istiod in istio-system"):
        trust.restart_control_plane("one")
    objects.found[ISTIODS] = {"items": [{"metadata": {"name": name}} for name in ("istiod-b", "istiod-a")]}
    assert trust.restart_control_plane("one")
    assert [path.rpartition("/")[2] for path in objects.applied] == ["istiod-a", "istiod-b"]
    assert not trust.restart_control_plane("one")
    objects.ready = False
    assert trust.control_plane_lacks() == "istio-system/istiod-a has 0 of 2 Ready"


def test_minting_twice_mints_once_and_only_the_next_of_either_kind(tmp_path: Path) -> None:
    trust, _ = trust_of("istio", tmp_path, generations=1)
    assert trust.mint(NEW)
    assert not trust.mint(NEW)
    assert trust.mint(Signer(1, 2))
    assert trust.signers() == (Signer(1, 1), Signer(1, 2), Signer(2, 1))
    for odd in (Signer(4, 1), Signer(1, 4), Signer(7, 2)):
        with pytest.raises(StepFailed):
            trust.mint(odd)
    with pytest.raises(StepFailed, match="there is no g1/issuer-9"):
        trust.authority(Signer(1, 9))


class Ca:
    """Consul's Connect CA in memory: a new root is listed beside the old ones and signs."""

    def __init__(self, keys: MeshKeys, first: int = 1) -> None:
        self.config: dict[str, Any] = {"Provider": "consul", "Config": {"LeafCertTTL": "72h"}}
        self.listed = [keys.material(Signer(first, 1)).chain_pem]
        self.deaf = False
        self.put = 0

    def configuration(self) -> dict[str, Any]:
        return self.config

    def configure(self, configuration: dict[str, Any]) -> None:
        self.put += 1
        self.config = configuration
        if not self.deaf:
            root = configuration["Config"]["RootCert"]
            self.listed = [root, *(each for each in self.listed if each != root)]

    def roots(self) -> dict[str, Any]:
        ids = [f"id-{number}" for number, _ in enumerate(self.listed)]
        roots = [{"ID": name, "RootCert": pem} for name, pem in zip(ids, self.listed, strict=True)]
        return {"ActiveRootID": ids[0], "Roots": roots}


def consul(folder: Path) -> tuple[ConsulTrust, Ca]:
    keys = keys_of("consul", folder, generations=2)
    ca = Ca(keys)
    return ConsulTrust("consul", consul_way(), ca, keys, cast(Proxies, Pods(PARTIES))), ca


def test_consul_lists_its_active_root_last_and_signs_with_it(tmp_path: Path) -> None:
    trust, ca = consul(tmp_path)
    old, new = trust.anchors((1, 2))
    assert trust.declared() == Declared((old,), Authority(old, old))
    assert trust.hand_over((1, 2), NEW)
    assert trust.declared() == Declared((old, new), Authority(new, new))
    assert trust.authority(NEW) == Authority(new, new), "the root itself signs: there is no issuer below it"
    ca.listed = ca.listed[:1]
    assert trust.sight().published == (new,)
    assert [p.name for p in trust.sight("n1").parties] == ["web"]
    assert (trust.restart_control_plane("x"), trust.control_plane_lacks()) == (False, None)


def test_a_consul_that_takes_the_root_and_does_not_sign_with_it_fails_the_step(tmp_path: Path) -> None:
    trust, ca = consul(tmp_path)
    ca.deaf = True
    with pytest.raises(StepFailed, match="signs with"):
        trust.hand_over((1, 2), NEW)


def test_a_consul_whose_bridge_is_too_short_is_never_asked(tmp_path: Path) -> None:
    trust, ca = consul(tmp_path)
    ca.config["Config"]["LeafCertTTL"] = "168h"
    with pytest.raises(StepFailed, match="LeafCertTTL is 168h"):
        trust.hand_over((1, 2), NEW)
    assert ca.put == 0


def test_a_root_of_consuls_that_is_no_certificate_is_named(tmp_path: Path) -> None:
    trust, ca = consul(tmp_path)
    ca.listed = ["hello"]
    with pytest.raises(StepFailed, match="outside of the certificates") as caught:
        trust.declared()
    assert "Consul root id-0" in caught.value.where


def test_no_key_shows_in_what_is_declared_seen_or_refused(tmp_path: Path) -> None:
    trust, _ = trust_of("linkerd", tmp_path)
    trust.hand_over((1, 2), NEW)
    material = trust.keys.material(NEW)
    shown = (repr(trust.declared()), repr(trust.sight()), repr(material), repr(trust.keys.canaries()))
    assert not [text for text in shown if "PRIVATE KEY" in text or material.key_pem.decode()[40:80] in text]
    assert json.dumps(str(trust.keys)).count("PRIVATE") == 0
