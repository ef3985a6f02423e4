"""A rotation with real keys, carried out and journalled on disk: no key in a plan, an event, a log or the journal."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

import pytest

from pki.rotation.sighting import LiveLeaf, Party
from roles.istio.trust import IstioTrust, sidecar_way
from rollout.adapters.kube.api import KubeApi
from rollout.adapters.kube.cluster import KubeCluster
from rollout.adapters.trust.home import MeshKeys
from rollout.adapters.trust.objects import KubeTrust
from rollout.adapters.trust.proxies import Proxies
from rollout.engine.course import course_of
from rollout.engine.observe import observe
from rollout.engine.outcome import Word
from rollout.engine.run import apply
from rollout.model.rekey import Signer
from rollout.planner.codec import dump
from rollout.planner.request import asked
from rollout.planner.rotate import plan_rotate
from tests.unit.fake_world import TEMPO
from tests.unit.kept_journal import Kept
from tests.unit.mesh_keys import keys_of
from tests.unit.test_trust_adapters import ISTIODS, Objects
from tests.unit.trust_scenes import SCENES


@dataclass
class Followers:
    """One proxy that believes and serves whatever the mesh's objects say."""

    told: list[KubeTrust] = field(default_factory=list)
    keys_used: set[str] = field(default_factory=set)

    def seen(self, node: str | None, keys: MeshKeys) -> tuple[Party, ...]:
        now, until = datetime.now(UTC), datetime.now(UTC) + timedelta(hours=1)
        self.keys_used |= {canary.key for canary in (*keys.canaries(), keys.stranger())}
        declared = self.told[0].declared()
        leaf = LiveLeaf("f" * 64, declared.signer, "web", now, until)
        party = Party("app-1", "shop", "r1n1", "r1", leaf, frozenset(declared.published))
        return (party,) if node in (None, "r1n1") else ()

    def renew(self, party: Party) -> bool:
        raise AssertionError(f"{party} follows already")


def _bodies(pem: str) -> Iterator[str]:
    """What a key's text cannot do without."""
    yield from (line for line in pem.splitlines() if len(line) > 40 and "-----" not in line)


def test_no_key_is_in_what_a_rotation_leaves_behind(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    keys = keys_of("istio", tmp_path / "pki", generations=1)
    objects, followers = Objects(), Followers()
    objects.found[ISTIODS] = {"items": [{"metadata": {"name": "istiod"}}]}
    api, cluster = (lambda: cast(KubeApi, objects)), cast(KubeCluster, objects)
    way = sidecar_way("istio-system", pushed=True)
    trust = KubeTrust("istio", way, IstioTrust("istio-system"), keys, api, cluster, cast(Proxies, followers))
    followers.told.append(trust)
    trust.hand_over((1,), Signer(1, 1))
    stage = SCENES["istio"].build()
    world = replace(stage.world, trust={"istio": trust})
    plan = plan_rotate(asked(world.site, observe(world), world.roles), course_of(world, "istio"))
    events: list[object] = []
    kept = Kept(tmp_path / "run", None)
    kept.folder.mkdir()
    with caplog.at_level(logging.DEBUG):
        outcome = apply(world, plan, kept.open(), events.append, clock=stage.rack, tempo=TEMPO)
    assert outcome.word is Word.DONE, outcome.detail
    assert trust.declared().published == trust.anchors((2,))
    secrets = {body for signer in keys.signers() for body in _bodies(keys.material(signer).key_pem.decode())}
    secrets |= {body for key in followers.keys_used for body in _bodies(key)}
    files = [path for path in kept.folder.rglob("*") if path.is_file()]
    left = [path.read_bytes().decode("latin-1") for path in files]
    left += [dump(plan), repr(events), repr(outcome), caplog.text]
    assert len(files) >= 1
    assert len(secrets) >= 6
    assert any(plan.id in text for text in left), "the journal's own words are found, so a key would be"
    assert not [text[:80] for text in left for secret in secrets if secret in text or "PRIVATE KEY" in text]
