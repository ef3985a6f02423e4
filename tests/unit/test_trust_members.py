"""Who is a party of a mesh's trust: by a proxy of its own, through its node's agent, or as a gateway's own Envoy."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from pki.rotation.sighting import Party
from rollout.adapters.kube.api import KubeApi, connect
from rollout.adapters.kube.cluster import KubeCluster
from rollout.adapters.trust import envoy as module
from rollout.adapters.trust.census import Canary, Census, KnownIssuer
from rollout.adapters.trust.envoy import Envoy
from rollout.adapters.trust.home import CANARY, MeshKeys
from rollout.adapters.trust.members import Member, members
from rollout.adapters.trust.proxies import Proxies
from rollout.cli.world import roles_of
from rollout.errors import StepFailed
from rollout.model.observed import AgentState
from rollout.model.rekey import Signer
from rollout.model.site import Site
from tests.unit import subject_sites as sites
from tests.unit.kubeapi import FakeApi, fake_api
from tests.unit.mesh_keys import keys_of

GONE = {"deletionTimestamp": "2026-11-28T12:00:00Z"}
REDIRECTED = {"annotations": {"ambient.istio.io/redirection": "enabled"}}
APP = {"name": "app", "ports": [{"containerPort": 8080}, {"containerPort": 9090}]}
SIDECAR = {"name": "istio-proxy", "image": "istio/proxyv2:1.30.3"}


def pod(
    name: str, *containers: Any, namespace: str = "shop", phase: str = "Running", meta: Any = None
) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "namespace": namespace, **(meta or {})},
        "spec": {"nodeName": "r1n1", "serviceAccountName": "web", "containers": list(containers)},
        "status": {"phase": phase, "podIP": "10.0.0.7"},
    }


def found(site: Site, folder: Path, *pods: Any, node: str | None = None) -> tuple[Member, ...]:
    with fake_api() as api:
        api.on("GET /api/v1/pods", {"items": list(pods)})
        api_of = connect(replace(site.kubernetes, **_access(api, folder)))
        return members(site, roles_of(site), site.meshes[0], api_of, node)


def _access(api: FakeApi, folder: Path) -> dict[str, Any]:
    return {"kubeconfig": api.kubernetes(folder).kubeconfig}


def test_a_sidecar_is_asked_at_its_applications_port_and_a_gateway_in_its_own_envoy(tmp_path: Path) -> None:
    role = roles_of(sites.istio())["istio"].proxies()
    assert role
    label = {"labels": {role.gateway_label: "ingress-1"}}
    gateway = pod("ingress-1-x", SIDECAR, namespace="istio-ingress", meta=label)
    made = found(
        sites.istio(), tmp_path, pod("web", APP, SIDECAR), pod("worker", {"name": "app"}, SIDECAR), gateway
    )
    assert [(m.name, m.port, m.container) for m in made] == [
        ("ingress-1-x", 0, "istio-proxy"),
        ("web", 8080, "istio-proxy"),
        ("worker", 0, "istio-proxy"),
    ]
    assert {(m.node, m.address, m.account, m.held_by) for m in made} == {("r1n1", "10.0.0.7", "web", "")}


def test_what_is_leaving_is_a_party_until_it_is_gone_and_what_never_ran_is_none(tmp_path: Path) -> None:
    made = found(
        sites.istio(),
        tmp_path,
        pod("going", APP, SIDECAR, meta=GONE),
        pod("pending", APP, SIDECAR, phase="Pending"),
        pod("over", APP, SIDECAR, phase="Succeeded"),
        pod("bare", APP),
    )
    assert [(m.name, m.leaving) for m in made] == [("going", True)]


def test_in_ambient_a_pod_without_a_proxy_is_a_party_through_its_nodes_agent(tmp_path: Path) -> None:
    """Else its ztunnel's leaves would be in no census, and the old root would go while they live."""
    made = found(
        sites.ambient(), tmp_path, pod("web", APP, meta=REDIRECTED), pod("outside", APP), node="r1n1"
    )
    assert [(m.name, m.port, m.held_by) for m in made] == [("web", 15008, "ztunnel")]
    assert found(sites.istio(), tmp_path, pod("web", APP, meta=REDIRECTED)) == ()


@dataclass
class Cluster:
    """What of KubeCluster a renewal asks for."""

    components: tuple[str, ...] = ("cni", "ztunnel")
    leaving: bool = False
    did: list[str] = field(default_factory=list)

    def evict(self, namespace: str, pod: str) -> bool:
        self.did.append(f"evict {namespace}/{pod}")
        return False

    def agents(self, node: str, subject: str) -> tuple[AgentState, ...]:
        return tuple(
            AgentState(subject, name, "istio-system", f"{name}-x", node, "1.30.3", True, self.leaving)
            for name in self.components
        )

    def delete_pod(self, namespace: str, pod: str) -> None:
        self.did.append(f"delete {namespace}/{pod}")


def proxies(cluster: Cluster) -> Proxies:
    site = sites.ambient()
    none: Callable[[], KubeApi] = lambda: cast(KubeApi, None)  # noqa: E731 - never asked here
    return Proxies(site, roles_of(site), site.meshes[0], none, cast(KubeCluster, cluster), cast(Census, None))


def test_what_its_agent_holds_is_renewed_by_the_agent_and_an_envoy_by_its_own_pod() -> None:
    cluster = Cluster()
    made = proxies(cluster)
    assert made.renew(Party("web", "shop", "r1n1", "r1", held_by="ztunnel"))
    assert not made.renew(Party("ingress-1", "istio-ingress", "r1n1", "r1")), "its budget says not yet"
    assert cluster.did == ["delete istio-system/ztunnel-x", "evict istio-ingress/ingress-1"]
    leaving = Cluster(leaving=True)
    assert proxies(leaving).renew(Party("web", "shop", "r1n1", "r1", held_by="ztunnel"))
    assert leaving.did == []


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> MeshKeys:
    return keys_of("istio", tmp_path_factory.mktemp("pki"), generations=2)


def dump(leaf: str, roots: str) -> str:
    """As Envoy's config_dump shows its secrets, keys left out by itself."""

    def inline(text: str) -> dict[str, str]:
        return {"inline_bytes": base64.b64encode(text.encode()).decode()}

    secrets = []
    if leaf:
        secrets.append({"name": "default", "tls_certificate": {"certificate_chain": inline(leaf)}})
    if roots:
        secrets.append({"name": "ROOTCA", "validation_context": {"trusted_ca": inline(roots)}})
    return json.dumps({"configs": [{"secret": secret} for secret in secrets]})


def ask(monkeypatch: pytest.MonkeyPatch, keys: MeshKeys, answer: object) -> Party:
    def run(*_: object) -> str:
        if isinstance(answer, Exception):
            raise answer
        return str(answer)

    monkeypatch.setattr(module, "run_in_container", run)
    member = Member("ingress-1", "istio-ingress", "n1", "", 0, "", "istio-proxy", leaving=True)
    return Envoy(cast(KubeApi, None), {"n1": "r1"}).party(member, keys.issuers())


def chain(keys: MeshKeys, generation: int) -> str:
    return keys.home.canary(generation, CANARY, datetime.now(UTC), timedelta(minutes=5))[0]


def roots(keys: MeshKeys, *generations: int) -> str:
    from pki.bundle import to_pem

    return to_pem([keys.anchor(number) for number in generations])


def test_a_gateways_envoy_shows_its_leaf_and_what_it_believes(
    monkeypatch: pytest.MonkeyPatch, keys: MeshKeys
) -> None:
    found = ask(monkeypatch, keys, dump(chain(keys, 2), roots(keys, 1, 2)))
    assert found.leaf
    assert found.leaf.by == keys.authority(Signer(2, 1))
    assert found.trusts == keys.anchors()
    assert (found.rack, found.silent, found.leaving) == ("r1", "", True)


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (StepFailed("cannot exec into it"), "cannot exec into it"),
        ("not JSON", "cannot be read"),
        (dump("hello", ""), "cannot be read"),
    ],
)
def test_an_envoy_that_says_nothing_readable_is_unseen(
    monkeypatch: pytest.MonkeyPatch, keys: MeshKeys, answer: object, says: str
) -> None:
    found = ask(monkeypatch, keys, answer)
    assert (found.leaf, found.trusts) == (None, None)
    assert says in found.silent


def test_half_of_what_an_envoy_needs_is_not_health_and_none_of_it_is_told_as_that(
    monkeypatch: pytest.MonkeyPatch, keys: MeshKeys
) -> None:
    only_leaf = ask(monkeypatch, keys, dump(chain(keys, 1), ""))
    only_roots = ask(monkeypatch, keys, dump("", roots(keys, 1)))
    assert (only_leaf.trusts, only_leaf.silent) == (None, "its Envoy holds only a part")
    assert (only_roots.leaf, only_roots.silent) == (None, "its Envoy holds only a part")
    assert ask(monkeypatch, keys, dump("", "")).uncertified
    assert not only_leaf.uncertified


def test_a_canary_and_what_is_known_of_issuers_show_no_key(keys: MeshKeys) -> None:
    shown = repr((Canary("a" * 64, "chain", "-----BEGIN PRIVATE KEY-----"), keys.issuers()))
    assert "PRIVATE KEY" not in shown
    assert all(isinstance(each, KnownIssuer) for each in keys.issuers())
