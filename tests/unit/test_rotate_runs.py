"""Rotations in memory, from plan to end, under an oracle that shakes hands at every tick: nothing is ever cut off."""

from __future__ import annotations

from dataclasses import replace
from threading import Event

import pytest

from rollout.engine.outcome import Word
from rollout.model.rekey import AwaitLeaves, AwaitTrust, HandOver, Signer
from tests.unit.fake_meshes import IstioLike, LinkerdLike
from tests.unit.fake_trust import anchor
from tests.unit.trust_scenes import EVERY, SCENES, WITH_ISSUERS, Stage, before, handovers, kept

OLD, NEW = Signer(1, 1), Signer(2, 1)
BY_TWO_STEPS = WITH_ISSUERS
"""Meshes that are told of the new root and of the new signer apart."""


@pytest.mark.parametrize("name", EVERY)
def test_a_root_is_rotated_without_one_failed_handshake_and_ends_with_the_new_one_alone(name: str) -> None:
    stage = SCENES[name].build()
    outcome = stage.apply(stage.plan())
    assert outcome.word is Word.DONE, outcome.detail
    stage.unbroken()
    assert stage.trust.new_only(2)


@pytest.mark.parametrize("name", WITH_ISSUERS)
def test_an_issuer_is_replaced_without_one_failed_handshake_and_no_leaf_of_the_old_one_lives(
    name: str,
) -> None:
    stage = SCENES[name].build()
    outcome = stage.apply(stage.plan(issuer_only=True))
    assert outcome.word is Word.DONE, outcome.detail
    stage.unbroken()
    wanted = stage.trust.authority(Signer(1, 2))
    assert {proxy.leaf.by for _, proxy in stage.trust.live() if proxy.leaf} == {wanted}


def test_a_consul_has_no_issuer_to_replace() -> None:
    with pytest.raises(Exception, match="PLAN-TRUST-04"):
        SCENES["consul"].build().plan(issuer_only=True)


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("leaf_life", [6.0, 25.0])
def test_leaves_that_renew_by_themselves_in_the_middle_of_it_break_nothing(
    name: str, leaf_life: float
) -> None:
    stage = SCENES[name].build()
    stage.trust.leaf_life = leaf_life
    for proxy in stage.trust.proxies.values():
        assert proxy.leaf
        proxy.leaf = replace(proxy.leaf, ends=stage.rack.time + leaf_life)
    assert stage.apply(stage.plan()).word is Word.DONE
    stage.unbroken()


@pytest.mark.parametrize("name", BY_TWO_STEPS)
@pytest.mark.parametrize("told", [2, 3], ids=["trusted", "switched"])
def test_going_back_before_the_old_root_is_removed_returns_without_one_failed_handshake(
    name: str, told: int
) -> None:
    stage = SCENES[name].build()
    first, _ = before(stage.plan(), HandOver, told)
    assert stage.apply(first).word is Word.DONE
    back = stage.plan(back=True)
    assert handovers(back)[-1] == HandOver(stage.trust.mesh, (1,), OLD, untrusts=(2,))
    outcome = stage.apply(back)
    assert outcome.word is Word.DONE, outcome.detail
    stage.unbroken()
    assert stage.trust.new_only(1)


def test_consul_goes_back_by_another_cross_signed_switch() -> None:
    stage = SCENES["consul"].build()
    first, _ = before(stage.plan(), AwaitTrust)
    assert stage.apply(first).word is Word.DONE
    assert stage.apply(stage.plan(back=True)).word is Word.DONE
    stage.unbroken()
    assert stage.trust.new_only(1)


@pytest.mark.parametrize("name", BY_TWO_STEPS)
def test_negative_control_a_root_swapped_in_one_step_cuts_handshakes(name: str) -> None:
    """Without the engine, as by hand: the oracle must see what it is there to see."""
    stage = SCENES[name].build()
    stage.trust.mint(NEW)
    stage.trust.hand_over((2,), NEW)
    stage.trust.restart_control_plane("by hand")
    stage.rack.wait(Event(), 2)
    own = [pod for pod in stage.rack.pods.values() if pod.mesh == stage.trust.mesh]
    for pod in own[:3]:
        stage.rack.evict(pod.name)
    stage.rack.wait(Event(), 3)
    refused = isinstance(stage.trust, IstioLike) and "istiod refused the Secret" in stage.trust.log
    assert bool(stage.trust.failed) != refused, "istiod refuses a swap by itself; nobody else does"


@pytest.mark.parametrize("name", BY_TWO_STEPS)
def test_negative_control_a_root_removed_before_its_leaves_are_gone_cuts_handshakes(name: str) -> None:
    """linkerd2#4287, by hand: trust both, switch, untrust, and no leaf was waited for."""
    stage = SCENES[name].build()
    first, _ = before(stage.plan(), AwaitLeaves)
    steps = [s for _, _, _, s in first.numbered() if s.node is None]
    assert stage.apply(kept(first, {s.key for s in steps if "drain" not in s.key})).word is not Word.FAILED
    stage.trust.told = stage.trust.heard = replace(stage.trust.told, published=(anchor(2),))
    proxies = list(stage.trust.proxies.values())
    proxies[0].trusts = frozenset({anchor(2)})
    stage.rack.wait(Event(), 1)
    assert stage.trust.failed


def evicted(stage: Stage) -> list[str]:
    return [line.split()[1] for line in stage.rack.log if line.startswith("evict")]


def test_an_injectors_old_copy_is_found_out_before_anybody_signs_with_the_new_root() -> None:
    stage = SCENES["linkerd"].build()
    assert isinstance(stage.trust, LinkerdLike)
    stage.trust.injector_lag = 1_000
    outcome = stage.apply(stage.plan())
    assert outcome.word is Word.HELD
    assert "does not trust" in outcome.detail
    assert stage.trust.told.signer == stage.trust.authority(OLD)
    assert not stage.trust.failed


def test_a_new_pod_that_lags_too_is_named_and_not_evicted_again() -> None:
    """istiod has not read its Secret: restarting what it feeds again and again would help nobody."""
    stage = SCENES["istio-unpushed"].build()
    assert isinstance(stage.trust, IstioLike)
    stage.trust.lag, stage.trust.deaf = 1_000, True
    outcome = stage.apply(stage.plan())
    assert (outcome.word, outcome.step) == (Word.HELD, "istio/trust/r1n1/await-renewed")
    assert {f.check for f in outcome.findings} == {"PKI-CENSUS"}
    assert "ingress-1-" in outcome.detail
    assert [name.rpartition("-")[0] for name in evicted(stage)].count("ingress-1") == 1
    assert not stage.trust.failed


@pytest.mark.parametrize("name", WITH_ISSUERS)
def test_a_budget_that_says_not_yet_is_asked_again_until_it_lets_go(name: str) -> None:
    stage = SCENES[name].build()
    plan = stage.plan()
    stage.rack.refuse_evictions = 5
    assert stage.apply(plan).word is Word.DONE
    assert stage.rack.refuse_evictions == 0
    stage.unbroken()


def test_one_restart_of_a_nodes_agent_is_for_all_whose_keys_it_holds() -> None:
    stage = SCENES["istio-ambient"].build()
    for _ in range(3):
        stage.rack.start("r1n3", None, "istio")
    stage.rack.wait(Event(), 2)
    assert stage.apply(stage.plan(issuer_only=True)).word is Word.DONE
    deleted = [line for line in stage.trust.log if line.startswith("delete")]
    assert len(deleted) == len(set(deleted)) == len(stage.rack.site.nodes)
    stage.unbroken()


def test_how_many_were_seen_is_said_and_nobody_is_no_proof() -> None:
    stage = SCENES["linkerd"].build()
    assert dict(stage.apply(stage.plan()).counts)["leaves.seen"] > 6
    empty = SCENES["linkerd"].build()
    empty.rack.pods = {n: p for n, p in empty.rack.pods.items() if p.mesh != "linkerd"}
    empty.trust.tick()
    outcome = empty.apply(empty.plan())
    assert (outcome.word, dict(outcome.counts)["leaves.seen"]) == (Word.DONE, 0)


def test_a_proxy_that_kept_the_old_root_although_it_was_told_is_restarted_at_the_end() -> None:
    stage = SCENES["istio"].build()
    tick, kept_by = stage.trust.tick, ""

    def accident() -> None:
        nonlocal kept_by
        tick()
        if not kept_by and anchor(1) not in stage.trust.heard.published:
            kept_by = next(p.name for p in stage.trust.sight().parties if p.trusts and "app" in p.name)
            stage.trust.proxies[kept_by].trusts |= {anchor(1)}

    stage.rack.each_tick = accident
    assert stage.apply(stage.plan()).word is Word.DONE
    assert kept_by in evicted(stage)
    assert stage.trust.new_only(2)
    stage.unbroken()


@pytest.mark.parametrize("name", ["istio", "istio-unpushed", "istio-ambient"])
def test_a_kubelet_that_lays_istiods_secret_late_holds_nothing_up(name: str) -> None:
    """A minute or two is usual. No proxy is restarted for an istiod that has not read what it was told."""
    stage = SCENES[name].build()
    stage.trust.lag = 1_000
    outcome = stage.apply(stage.plan())
    assert outcome.word is Word.DONE, outcome.detail
    stage.unbroken()
    assert stage.trust.new_only(2)
