"""The product's rotation of a real istiod, through the Secret ``cacerts`` on a real Kubernetes API."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from threading import Event, Thread

import pytest

from lab.control.plane import ControlPlane
from lab.signers import objects
from lab.signers.deployed import Deployed
from lab.signers.fleet import Manner
from lab.signers.istiod import AUDIENCE, NAMESPACE, SECRET, Istiod
from lab.signers.leaf import Leaf, Workload
from lab.signers.volume import EVERY
from rollout.adapters.kube.api import JsonObject, KubeApi, Refused
from rollout.adapters.trust.home import MeshKeys
from rollout.adapters.trust.objects import KubeTrust
from rollout.engine.journal import MemoryJournal
from rollout.engine.outcome import Word
from rollout.model.rekey import Signer
from tests.e2e.signers.rotation import Rotation, kube_trust, rotating, site_of, stopping_after, when_started
from tests.e2e.signers.stage import proxies
from tests.real.fleet import eventually
from tests.unit import subject_sites
from tests.unit.mesh_keys import keys_of
from tests.unit.trust_scenes import single

SITE = site_of(subject_sites.istio().meshes[0])
OLD = Signer(1, 1)

VALIDATOR = f"istio-validator-{NAMESPACE}"
HOOK = f"/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/{VALIDATOR}"
COPIES = {"ConfigMap default/istio-ca-root-cert", f"webhooks {VALIDATOR}"}
"""What istiod writes, among others: one ConfigMap into every namespace, and its root into its webhooks."""

LIFE = timedelta(hours=1)
"""No leaf is renewed by its age here: it goes because another bundle was pushed, or because its proxy was restarted."""


@dataclass(frozen=True)
class Lasting:
    istiod: Istiod
    api: KubeApi

    def ask(self, workload: Workload, held: Leaf | None = None) -> Leaf:
        del held
        return self.istiod.certify(workload, objects.token(self.api, workload, AUDIENCE), LIFE)


@pytest.fixture
def keys(tmp_path: Path) -> MeshKeys:
    return keys_of("istio", tmp_path, 1)


SLOW = 40.0
"""Seconds between two looks of istiod's kubelet. Real ones take up to a minute or two."""


def validator() -> JsonObject:
    """As upstream's chart names and labels it, for what nobody ever makes: istiod writes its root into it."""
    meta = {"name": VALIDATOR, "labels": {"app": "istiod", "istio.io/rev": "default"}}
    hook = {
        "name": "played.istio.io",
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
        "failurePolicy": "Ignore",
        "clientConfig": {"service": {"namespace": NAMESPACE, "name": "istiod", "path": "/validate"}},
        "objectSelector": {"matchLabels": {"played.example/of": "nobody"}},
        "rules": [
            {"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"]}
        ],
    }
    kind = "ValidatingWebhookConfiguration"
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": kind,
        "metadata": meta,
        "webhooks": [hook],
    }


@contextmanager
def running(
    plane: ControlPlane, api: KubeApi, keys: MeshKeys, folder: Path, synced: float = EVERY
) -> Iterator[Istiod]:
    """Its Secret is the product's from the first hand-over on, as after a bringup."""
    for left in (objects.secret_path(NAMESPACE, SECRET), HOOK):
        with suppress(Refused):
            api.request("DELETE", left)
    trust = kube_trust(SITE, keys, api)
    trust.hand_over((1,), OLD)
    objects.apply(api, HOOK, validator())
    istiod = Istiod(api, plane.kubeconfig, folder, synced=synced)
    pods = Deployed(api, NAMESPACE, {"istiod": istiod.restart})
    try:
        pods.start()
        eventually(pods.ready, "istiod")
        eventually(lambda: copied(trust) == {trust.anchors((1,))}, "its root in every copy that it writes")
        yield istiod
    finally:
        pods.stop()
        istiod.close()


def copied(trust: KubeTrust) -> set[tuple[str, ...]]:
    """What the copies say, once all are there."""
    copies = {copy.where: tuple(copy.anchors) for copy in trust.sight().copies}
    return set(copies.values()) if copies.keys() >= COPIES else set()


@contextmanager
def rotation_of(istiod: Istiod, api: KubeApi, keys: MeshKeys) -> Iterator[Rotation]:
    members = proxies(Lasting(istiod, api), Manner(pushed=istiod.bundle))
    with rotating(SITE, members, lambda parties: kube_trust(SITE, keys, api, parties)) as on:
        yield on


@pytest.fixture
def istiod(plane: ControlPlane, api: KubeApi, keys: MeshKeys, tmp_path: Path) -> Iterator[Istiod]:
    with running(plane, api, keys, tmp_path / "istiod") as istiod:
        yield istiod


@pytest.fixture
def rotation(istiod: Istiod, api: KubeApi, keys: MeshKeys) -> Iterator[Rotation]:
    with rotation_of(istiod, api, keys) as on:
        yield on


def test_our_plan_takes_it_from_a_to_b_and_no_handshake_fails(rotation: Rotation) -> None:
    assert rotation.apply(rotation.plan()).word is Word.DONE
    rotation.unbroken()
    rotation.sees_only(2)
    assert {copy.where for copy in rotation.trust.sight().copies} >= COPIES, (
        "written by istiod, and all of B alone"
    )


def test_a_kubelet_that_lays_the_secret_late_holds_nothing_up(
    plane: ControlPlane, api: KubeApi, keys: MeshKeys, tmp_path: Path
) -> None:
    with (
        running(plane, api, keys, tmp_path / "istiod", SLOW) as istiod,
        rotation_of(istiod, api, keys) as rotation,
    ):
        outcome = rotation.apply(rotation.plan())
        assert outcome.word is Word.DONE, outcome.detail
        rotation.unbroken()
        rotation.sees_only(2)


def test_stopped_between_switch_and_drain_it_goes_on_where_it_was(rotation: Rotation) -> None:
    stop = Event()
    plan = rotation.plan()
    first = rotation.apply(plan, stopping_after("istio/switch/hand-over", stop), stop)
    assert (first.word, first.step) == (Word.INTERRUPTED, "istio/switch/control-plane")
    rotation.unbroken()
    before = list(rotation.finished)
    assert rotation.resume().word is Word.DONE
    assert not set(before) & set(rotation.finished[len(before) :]), "nothing is carried out twice"
    rotation.unbroken()
    rotation.sees_only(2)


MIDWAY = "istio/drain/r1n1/renew"


@pytest.mark.parametrize("step", ["istio/switch/control-plane", MIDWAY])
def test_an_istiod_that_dies_at_the_switch_and_comes_back_costs_no_handshake(
    rotation: Rotation, istiod: Istiod, step: str
) -> None:
    """In the drain somebody is refused first: only then its kubelet starts it again."""
    before: list[int] = []

    def die() -> None:
        before.append(refused(rotation))
        istiod.kill()

    with revived(istiod, lambda: bool(before) and refused(rotation) > before[0]):
        outcome = rotation.apply(rotation.plan(), when_started(step, die))
    assert outcome.word is Word.DONE, outcome.detail
    assert step != MIDWAY or refused(rotation) > before[0]
    rotation.unbroken()
    rotation.sees_only(2)


def refused(rotation: Rotation) -> int:
    return sum(proxy.refusals for proxy in rotation.fleet.proxies)


@contextmanager
def revived(istiod: Istiod, wanted: Callable[[], bool]) -> Iterator[None]:
    """A kubelet's part; the thread stays, because the program ends with the one that started it."""
    over = Event()

    def revive() -> None:
        while not over.wait(0.1):
            if wanted():
                istiod.start()

    thread = Thread(target=revive, name="kubelet", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def test_the_engine_takes_no_root_out_while_one_proxy_still_serves_its_leaf(
    rotation: Rotation,
) -> None:
    """A plan of the removal alone, as an editor would make it: the engine looks for itself."""
    stop, plan = Event(), rotation.plan()
    rotation.apply(plan, stopping_after("istio/switch/control-plane", stop), stop)
    last, *others = rotation.fleet.proxies
    for proxy in others:
        proxy.start()
    removal = next(step for _, _, _, step in plan.numbered() if step.key == "istio/untrust/hand-over")
    outcome = rotation.apply(rotation.fresh(single(plan, removal)), journal=MemoryJournal())
    assert outcome.word is Word.HELD
    assert [finding.check for finding in outcome.findings] == ["PKI-CENSUS"]
    assert f"default/{last.workload.account} on r1n1" in outcome.findings[0].detail
    assert not any(proxy.workload.account in outcome.findings[0].detail for proxy in others)
    assert rotation.trust.declared().published == rotation.trust.anchors((1, 2))
    rotation.unbroken()
    last.start()
    assert rotation.apply(rotation.fresh(single(plan, removal)), journal=MemoryJournal()).word is Word.DONE
    assert rotation.trust.declared().published == rotation.trust.anchors((2,))
    rotation.unbroken()
