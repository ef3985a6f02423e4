"""The product's rotation of a real Consul server's Connect CA, over its HTTP API as the product asks it.

Consul lists the old root until twice a leaf's life is over, two hours at the least: the run ends held for that.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from lab.control.flags import LOOPBACK
from lab.signers import objects
from lab.signers.consul import ConsulServer
from lab.signers.fleet import Manner
from lab.signers.generation import Authority, Generation
from lab.signers.parties import HereVantage
from pki.fingerprint import fingerprint
from pki.rotation.phase import Phase
from rollout.adapters.kube.api import MERGE, KubeApi
from rollout.adapters.trust.connect_ca import PORT, TOKEN, ServerCa
from rollout.adapters.trust.consul import ConsulTrust
from rollout.adapters.trust.home import MeshKeys
from rollout.adapters.trust.proxies import Parties
from rollout.cli.world import roles_of
from rollout.engine.course import course_of
from rollout.engine.outcome import Word
from rollout.errors import PlanRefused, StepFailed
from rollout.model.gate import Verdict
from rollout.model.plan import Plan
from rollout.model.rekey import Signer
from rollout.planner.rotate import way_of
from tests.e2e.signers.rotation import NOBODY, Rotation, rotating, site_of, when_started
from tests.e2e.signers.stage import WEB, proxies
from tests.unit import subject_sites
from tests.unit.mesh_keys import keys_of

SITE = site_of(subject_sites.consul().meshes[0])
NAMESPACE = SITE.meshes[0].namespace
OLD, NEW = Signer(1, 1), Signer(2, 1)
WATCHING = Manner(every=timedelta(0))
LAST = "consul/untrust/verifiers"


@pytest.fixture
def keys(tmp_path: Path) -> MeshKeys:
    return keys_of("consul", tmp_path, 1)


@pytest.fixture
def consul(keys: MeshKeys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ConsulServer]:
    """Started with the site's first generation; its operator's token is where the product looks for it."""
    key = load_pem_private_key(keys.material(OLD).key_pem, None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    root = Authority(keys.anchor(1), key)
    server = ConsulServer(tmp_path / "consul", Generation(root, root))
    monkeypatch.setenv(TOKEN, server.token)
    try:
        server.start()
        yield server
    finally:
        server.close()


@pytest.fixture
def ca(consul: ConsulServer, api: KubeApi) -> ServerCa:
    """The server's pod, Ready on this machine, is how the product finds it."""
    objects.make_namespace(api, NAMESPACE)
    path = f"/api/v1/namespaces/{NAMESPACE}/pods/consul-server-0"
    meta = {
        "name": "consul-server-0",
        "namespace": NAMESPACE,
        "labels": {"app": "consul", "component": "server"},
    }
    spec = {"containers": [{"name": "consul", "image": "played.example/consul:1"}]}
    objects.apply(api, path, {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec})
    status = {
        "podIP": LOOPBACK,
        "podIPs": [{"ip": LOOPBACK}],
        "conditions": [{"type": "Ready", "status": "True"}],
    }
    api.request("PATCH", f"{path}/status", body={"status": status}, content_type=MERGE)
    return ServerCa(NAMESPACE, lambda: api, HereVantage({PORT: consul.port}))


@pytest.fixture
def rotation(consul: ConsulServer, ca: ServerCa, keys: MeshKeys) -> Iterator[Rotation]:
    with rotating(SITE, proxies(consul, WATCHING), lambda parties: trust_of(ca, keys, parties)) as on:
        yield on


def test_our_plan_takes_it_from_a_to_b_and_holds_until_consul_has_pruned_a(
    rotation: Rotation, keys: MeshKeys
) -> None:
    outcome = rotation.apply(rotation.plan(), when_started(LAST, rotation.hurry))
    assert (outcome.word, outcome.step) == (Word.HELD, LAST), outcome.detail
    assert {(f.check, f.verdict) for f in outcome.findings} == {("PKI-TRUST", Verdict.CLOSED)}
    rotation.unbroken()
    declared = rotation.trust.declared()
    assert declared.published == rotation.trust.anchors((1, 2)), "A is listed still, and not active"
    assert declared.signer == rotation.trust.authority(NEW)
    assert all(leaf.under(keys.anchor(2)) for leaf in rotation.fleet.leaves)
    seen = rotation.trust.sight().parties
    assert {party.leaf.by for party in seen if party.leaf} == {rotation.trust.authority(NEW)}
    assert course_of(rotation.world, "consul").phase is Phase.UNTRUST
    assert steps_of(rotation.plan()) == ["snapshot/before", "consul/drain/census", LAST, "snapshot/after"]
    assert (again := rotation.resume()).step == LAST, again.detail
    assert {finding.check for finding in again.findings} == {"PKI-TRUST"}


def steps_of(plan: Plan) -> list[str]:
    return [step.key for _, _, _, step in plan.numbered()]


def trust_of(ca: ServerCa, keys: MeshKeys, parties: Parties = NOBODY) -> ConsulTrust:
    return ConsulTrust("consul", way_of(roles_of(SITE)["consul"]), ca, keys, parties)


def set_to(ca: ServerCa, **settings: object) -> None:
    now = ca.configuration()
    ca.configure({**now, "Config": {**now["Config"], **settings}})


def test_what_else_its_ca_was_told_stays_through_a_hand_over(
    consul: ConsulServer, ca: ServerCa, keys: MeshKeys
) -> None:
    set_to(ca, LeafCertTTL="2h", CSRMaxPerSecond=100)
    keys.mint(NEW)
    assert trust_of(ca, keys).hand_over((1, 2), NEW)
    after = ca.configuration()["Config"]
    assert (after["LeafCertTTL"], after["CSRMaxPerSecond"]) == ("2h", 100)
    leaf = consul.ask(WEB).certificate
    assert leaf.not_valid_after_utc - leaf.not_valid_before_utc < timedelta(hours=3)


@pytest.mark.parametrize(
    ("settings", "says"),
    [({"LeafCertTTL": "84h"}, "LeafCertTTL is 84h"), ({"CSRMaxPerSecond": 0}, "without a limit")],
)
def test_a_ca_whose_leaves_would_not_follow_in_time_is_not_handed_over_to(
    ca: ServerCa, keys: MeshKeys, settings: dict[str, object], says: str
) -> None:
    """Both as this server says them back."""
    set_to(ca, **settings)
    keys.mint(NEW)
    trust = trust_of(ca, keys)
    with pytest.raises(StepFailed, match=says):
        trust.hand_over((1, 2), NEW)
    assert trust.declared().signer == trust.authority(OLD)


def test_a_token_that_may_not_is_named_and_not_shown(
    ca: ServerCa, keys: MeshKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(TOKEN, "00000000-0000-0000-0000-00000000dead")
    with pytest.raises(StepFailed, match="HTTP 403") as refused:
        trust_of(ca, keys).hand_over((1,), OLD)
    assert TOKEN in refused.value.hint
    assert "dead" not in f"{refused.value} {refused.value.hint}"


def test_a_server_that_made_a_root_of_its_own_takes_ours_and_is_not_rotated_before_it_dropped_it(
    rotation: Rotation, ca: ServerCa, keys: MeshKeys
) -> None:
    """A bringup's hand-over. Whose root the other one is nobody here can say: the key store did not mint it."""
    own = MeshKeys("consul", keys.home)
    strange = keys_of("consul", keys.home.folder / "another", 1)
    assert trust_of(ca, strange).hand_over((1,), OLD)
    declared = trust_of(ca, strange).declared()
    assert declared.signer == strange.authority(OLD)
    assert declared.published == (fingerprint(own.anchor(1)), fingerprint(strange.anchor(1)))
    rotated = replace(rotation, trust=trust_of(ca, strange, rotation.parties))
    with pytest.raises(PlanRefused, match="PLAN-TRUST-02"):
        rotated.plan()
