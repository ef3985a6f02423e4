"""The product's rotation of a real istiod, through the Secret ``cacerts`` on a real Kubernetes API."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from lab.control.plane import ControlPlane
from lab.signers import objects
from lab.signers.fleet import Manner
from lab.signers.istiod import AUDIENCE, NAMESPACE, SECRET, Istiod
from lab.signers.leaf import Leaf, Workload
from rollout.adapters.kube.api import KubeApi, Refused
from rollout.adapters.trust.home import MeshKeys
from rollout.engine.outcome import Word
from rollout.model.rekey import Signer
from rollout.model.site import Site
from tests.e2e.signers.rotation import Rotation, kube_trust, rotating, site_of
from tests.e2e.signers.stage import proxies
from tests.unit import subject_sites
from tests.unit.mesh_keys import keys_of

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


@pytest.fixture
def site() -> Site:
    return site_of(subject_sites.istio().meshes[0])


@pytest.fixture
def istiod(plane: ControlPlane, api: KubeApi, site: Site, keys: MeshKeys, tmp_path: Path) -> Iterator[Istiod]:
    """Its Secret is the product's from the first hand-over on, as after a bringup."""
    with suppress(Refused):
        api.request("DELETE", objects.secret_path(NAMESPACE, SECRET))
    kube_trust(site, keys, api).hand_over((1,), Signer(1, 1))
    istiod = Istiod(api, plane.kubeconfig, tmp_path / "istiod")
    try:
        istiod.start()
        istiod.wait_until("its root for new proxies", lambda: istiod.bundle() == (keys.anchor(1),))
        yield istiod
    finally:
        istiod.close()


@pytest.fixture
def rotation(istiod: Istiod, api: KubeApi, site: Site, keys: MeshKeys) -> Iterator[Rotation]:
    members = proxies(Lasting(istiod, api), Manner(pushed=istiod.bundle))
    with rotating(site, members, lambda parties: kube_trust(site, keys, api, parties)) as on:
        yield on


def test_our_plan_takes_it_from_a_to_b_and_no_handshake_fails(rotation: Rotation) -> None:
    outcome = rotation.apply(rotation.plan())
    assert outcome.word is Word.DONE, outcome.detail
    rotation.unbroken()
    rotation.sees_only(2)
