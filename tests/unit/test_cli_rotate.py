"""``rackroll plan rotate`` from its words to its exit code, on a rack in memory: what, where and what next."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pki.rotation.sighting import Authority
from rollout.cli import world as wiring
from rollout.cli.plan import plan
from rollout.engine.ports import World
from rollout.engine.trust import Declared
from rollout.planner.codec import read_plan
from rollout.planner.refuse import RuleRefused
from rollout.site import load
from rollout.verify.check import check
from rollout.verify.data import read_rules
from tests.unit import subject_sites
from tests.unit.fake_trust import FakeTrust, named
from tests.unit.trust_scenes import SCENES, Stage

HERE = str(Path(__file__).parents[2] / "inventory" / "lab")


def stage(monkeypatch: pytest.MonkeyPatch, name: str = "istio") -> Stage:
    """The scene's site stands in for the one on disk."""
    made = SCENES[name].build()
    live(monkeypatch, made.world)
    return made


def live(monkeypatch: pytest.MonkeyPatch, world: World) -> None:
    monkeypatch.setattr(load, "load_site", lambda _: world.site)
    monkeypatch.setattr(wiring, "build_world", lambda _: world)


def run(*words: str) -> Result:
    return CliRunner().invoke(plan, ["rotate", "-i", HERE, *words])


def refused(*words: str) -> RuleRefused:
    result = run(*words)
    assert isinstance(result.exception, RuleRefused), result.output
    assert result.exception.exit_code == 3
    return result.exception


def test_a_rotation_is_shown_with_its_signatures_saved_and_verified(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    stage(monkeypatch)
    out = tmp_path / "rotate.json"
    result = run("--mesh", "istio", "--out", str(out), "--detailed-exitcode")
    assert result.exit_code == 2, result.output
    assert "to be signed by 2 people: root-removal" in result.output
    assert "istio is told to trust g2, no more g1, and to sign with g2/issuer-1" in result.output
    assert read_plan(out).kind.value == "rotate"
    assert check(out.read_text(encoding="utf-8"), read_rules(None)).counts["steps"] == read_plan(out).steps


def test_another_issuer_is_shown_without_signatures(monkeypatch: pytest.MonkeyPatch) -> None:
    stage(monkeypatch)
    found = json.loads(run("--mesh", "istio", "--issuer-only", "-o", "json").output)
    assert found["signatures"] == []
    effects = [s["effect"] for w in found["waves"] for g in w["stages"] for s in g["steps"]]
    assert [e["trusts"] for e in effects if e["do"] == "HandOver"] == [[1]]


def test_a_mesh_that_the_site_lacks_is_named_with_those_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    stage(monkeypatch)
    error = refused("--mesh", "istoi")
    assert (error.rule, error.hint) == ("PLAN-SUBJECT-01", "its meshes: istio")


def test_a_mesh_without_a_pki_section_is_told_how_to_get_one(monkeypatch: pytest.MonkeyPatch) -> None:
    live(monkeypatch, replace(stage(monkeypatch).world, trust={}))
    error = refused("--mesh", "istio")
    assert error.rule == "PLAN-TRUST-01"
    assert "no key store for istio" in error.message
    assert "`rackroll pki init --mesh istio`" in error.hint


def test_cilium_has_no_roots_of_ours_with_or_without_a_key_store(monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.unit.fake_world import running

    live(monkeypatch, running(subject_sites.cilium(), {"cilium": "1.19.7", "kubernetes": "1.34.2"})[1])
    error = refused("--mesh", "cilium")
    assert error.rule == "PLAN-TRUST-01"
    assert "cilium has no roots that rackroll rotates" in error.message
    assert "istio, linkerd or consul" in error.hint


def emptied(trust: FakeTrust) -> None:
    trust.store.clear()
    trust.told = Declared((), None)


def strayed(trust: FakeTrust) -> None:
    """Somebody handed it an issuer of their own."""
    trust.told = replace(trust.told, signer=Authority(trust.told.published[0], named("theirs")))


@pytest.mark.parametrize(
    ("accident", "says"), [(emptied, "signs with nobody that can be read"), (strayed, "did not mint")]
)
def test_what_the_key_store_did_not_mint_is_not_rotated(
    monkeypatch: pytest.MonkeyPatch, accident: object, says: str
) -> None:
    made = stage(monkeypatch)
    assert callable(accident)
    accident(made.trust)
    error = refused("--mesh", "istio")
    assert error.rule == "PLAN-TRUST-02"
    assert says in error.message
    assert "rackroll plan bringup" in error.hint


def test_there_is_nothing_to_go_back_from_and_consul_has_no_issuer(monkeypatch: pytest.MonkeyPatch) -> None:
    stage(monkeypatch, "consul")
    assert refused("--mesh", "consul", "--back").rule == "PLAN-TRUST-02"
    assert refused("--mesh", "consul", "--issuer-only").rule == "PLAN-TRUST-04"


def test_a_mesh_that_cannot_be_seen_is_unreachable_not_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    stage(monkeypatch).rack.silent.add("kubernetes")
    result = run("--mesh", "istio")
    assert getattr(result.exception, "exit_code", None) == 4
