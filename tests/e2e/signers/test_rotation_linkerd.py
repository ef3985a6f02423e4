"""The product's rotation of a real identity controller of Linkerd, through its ConfigMap and its Secret.

As in test_linkerd.py, for those who have one: RACKROLL_LINKERD_IDENTITY names it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from threading import Event

import pytest

from lab.control.plane import ControlPlane
from lab.signers import objects
from lab.signers.deployed import Deployed, nothing
from lab.signers.fleet import Manner
from lab.signers.linkerd import NAMESPACE, PROGRAM, ROOTS, SECRET, LinkerdIdentity
from rollout.adapters.kube.api import KubeApi, Refused
from rollout.adapters.trust.home import MeshKeys
from rollout.engine.outcome import Word
from rollout.model.rekey import Signer
from tests.e2e.signers.rotation import Rotation, kube_trust, rotating, site_of, stopping_after
from tests.e2e.signers.stage import proxies
from tests.real.fleet import eventually
from tests.unit import subject_sites
from tests.unit.mesh_keys import keys_of

if PROGRAM not in os.environ:
    pytest.skip(f"{PROGRAM} names no identity controller of Linkerd", allow_module_level=True)

SITE = site_of(subject_sites.linkerd().meshes[1])
LIFE = timedelta(hours=1)
"""No leaf is renewed by its age here: it goes because its proxy was restarted."""


@pytest.fixture
def keys(tmp_path: Path) -> MeshKeys:
    return keys_of("linkerd", tmp_path, 1)


@pytest.fixture
def identity(plane: ControlPlane, api: KubeApi, keys: MeshKeys, tmp_path: Path) -> Iterator[LinkerdIdentity]:
    """Its objects are the product's from the first hand-over on; its Deployment's rollout is what restarts it."""
    for path in (objects.secret_path(NAMESPACE, SECRET), objects.config_path(NAMESPACE, ROOTS)):
        with suppress(Refused):
            api.request("DELETE", path)
    kube_trust(SITE, keys, api).hand_over((1,), Signer(1, 1))
    identity = LinkerdIdentity(api, plane.kubeconfig, tmp_path / "linkerd", life=LIFE)
    starts = {"linkerd-identity": identity.restart}
    pods = Deployed(
        api, NAMESPACE, {**starts, "linkerd-destination": nothing, "linkerd-proxy-injector": nothing}
    )
    try:
        pods.start()
        eventually(pods.ready, "the control plane")
        yield identity
    finally:
        pods.stop()
        identity.close()


@pytest.fixture
def rotation(identity: LinkerdIdentity, api: KubeApi, keys: MeshKeys) -> Iterator[Rotation]:
    members = proxies(identity, Manner(share=0.7))
    with rotating(SITE, members, lambda parties: kube_trust(SITE, keys, api, parties)) as on:
        yield on


def test_our_plan_takes_it_from_a_to_b_and_no_handshake_fails(rotation: Rotation) -> None:
    outcome = rotation.apply(rotation.plan())
    assert outcome.word is Word.DONE, outcome.detail
    rotation.unbroken()
    rotation.sees_only(2)


def test_stopped_between_switch_and_drain_it_goes_on_where_it_was(rotation: Rotation) -> None:
    stop = Event()
    first = rotation.apply(rotation.plan(), stopping_after("linkerd/switch/hand-over", stop), stop)
    assert (first.word, first.step) == (Word.INTERRUPTED, "linkerd/switch/control-plane")
    rotation.unbroken()
    outcome = rotation.resume()
    assert outcome.word is Word.DONE, outcome.detail
    rotation.unbroken()
    rotation.sees_only(2)
