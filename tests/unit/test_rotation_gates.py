"""Phases and gates of a rotation as pure functions: total or Astray, monotone, and never opened by silence."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pki.rotation.gates import Objection, bundle_has, bundle_is, leaves_are, valid
from pki.rotation.phase import Aim, Astray, Phase, lists_old, phase_of
from pki.rotation.sighting import Authority, Copy, LiveLeaf, Party, Sighting

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)
OLD, NEW = Authority("a" * 64, "1" * 64), Authority("b" * 64, "2" * 64)
NEXT = Authority(OLD.anchor, "3" * 64)
STRANGER = Authority("c" * 64, "4" * 64)
ANCHORS = (OLD.anchor, NEW.anchor, STRANGER.anchor)


def leaf(by: Authority | None) -> LiveLeaf:
    return LiveLeaf("f" * 64, by, "web", NOON - timedelta(hours=1), NOON + timedelta(hours=1))


def party(name: str, by: Authority | None = OLD, *trusts: Authority) -> Party:
    return Party(name, "shop", "r1n1", "r1", leaf(by), frozenset(each.anchor for each in trusts or (OLD,)))


def seen(signer: Authority | None, published: tuple[Authority, ...], *parties: Party) -> Sighting:
    return Sighting(tuple(each.anchor for each in published), signer, (), parties, frozenset(ANCHORS))


anchor_sets = st.frozensets(st.sampled_from(ANCHORS))
leaves = st.none() | st.sampled_from([OLD, NEW, NEXT, STRANGER, None]).map(leaf)
parties = st.builds(
    Party,
    name=st.sampled_from(["one", "two", "three"]),
    namespace=st.just("shop"),
    node=st.just("r1n1"),
    rack=st.just("r1"),
    leaf=leaves,
    trusts=st.none() | anchor_sets,
    silent=st.sampled_from(["", "does not answer"]),
)
copies = st.builds(Copy, where=st.just("ConfigMap shop/roots"), anchors=anchor_sets)
sightings = st.builds(
    Sighting,
    published=st.lists(st.sampled_from(ANCHORS), unique=True).map(tuple),
    signer=st.sampled_from([None, OLD, NEW, NEXT, STRANGER]),
    copies=st.lists(copies, max_size=2).map(tuple),
    parties=st.lists(parties, max_size=3).map(tuple),
    known=st.just(frozenset(ANCHORS)),
)
aims = st.sampled_from([Aim(OLD, None), Aim(OLD, NEW), Aim(OLD, NEXT), Aim(NEW, OLD)])

STAND = {
    Phase.MINT: (Aim(OLD, None), seen(OLD, (OLD,), party("a"))),
    Phase.TRUST: (Aim(OLD, NEW), seen(OLD, (OLD, NEW), party("a", OLD, OLD, NEW), party("b"))),
    Phase.SWITCH: (Aim(OLD, NEW), seen(OLD, (OLD, NEW), party("a", OLD, OLD, NEW))),
    Phase.DRAIN: (Aim(OLD, NEW), seen(NEW, (OLD, NEW), party("a", OLD, OLD, NEW))),
    Phase.UNTRUST: (Aim(OLD, NEW), seen(NEW, (OLD, NEW), party("a", NEW, OLD, NEW))),
    Phase.DONE: (Aim(OLD, NEW), seen(NEW, (NEW,), party("a", NEW, NEW))),
}


@pytest.mark.parametrize("phase", STAND)
def test_each_phase_is_read_off_certificates(phase: Phase) -> None:
    assert phase_of(*STAND[phase]) is phase


def test_one_verifier_or_copy_that_lags_keeps_its_phase_open() -> None:
    aim, untrusting = STAND[Phase.UNTRUST]
    told = replace(untrusting, published=(NEW.anchor,))
    assert phase_of(aim, told) is Phase.UNTRUST
    alone = replace(told, parties=(party("a", NEW, NEW),))
    assert phase_of(aim, alone) is Phase.DONE
    copied = replace(alone, copies=(Copy("ConfigMap shop/roots", frozenset({OLD.anchor, NEW.anchor})),))
    assert phase_of(aim, copied) is Phase.UNTRUST
    silent = replace(alone, parties=(*alone.parties, replace(party("b", NEW), trusts=None)))
    assert phase_of(aim, silent) is Phase.UNTRUST


def test_an_issuer_only_rotation_has_no_root_to_untrust() -> None:
    aim = Aim(OLD, NEXT)
    assert aim.issuer_only
    assert aim.anchors == (OLD.anchor,)
    assert phase_of(aim, seen(OLD, (OLD,), party("a"))) is Phase.SWITCH
    assert phase_of(aim, seen(NEXT, (OLD,), party("a"))) is Phase.DRAIN
    assert phase_of(aim, seen(NEXT, (OLD,), party("a", NEXT))) is Phase.DONE


@pytest.mark.parametrize(
    ("signer", "published", "says"),
    [
        (None, (OLD,), "cannot be read"),
        (STRANGER, (OLD, STRANGER), "neither the old one nor the new one"),
        (OLD, (NEW,), "every renewed leaf will be refused"),
    ],
)
def test_another_hand_is_told_apart_from_every_phase(
    signer: Authority | None, published: tuple[Authority, ...], says: str
) -> None:
    with pytest.raises(Astray, match=says):
        phase_of(Aim(OLD, NEW), seen(signer, published, party("a")))


@given(aim=aims, sighting=sightings)
def test_every_sighting_has_one_phase_or_is_astray(aim: Aim, sighting: Sighting) -> None:
    """And the phase never claims what was not seen of everybody."""
    known = sighting.signer in (aim.before, aim.after) and sighting.signer is not None
    if not known or sighting.signer is None or sighting.signer.anchor not in sighting.published:
        with pytest.raises(Astray):
            phase_of(aim, sighting)
        return
    phase = phase_of(aim, sighting)
    if phase in (Phase.UNTRUST, Phase.DONE):
        assert aim.after
        assert leaves_are(sighting.parties, aim.after) == ()
    if phase is Phase.DONE and not aim.issuer_only:
        assert not lists_old(aim, sighting)
    if phase is Phase.SWITCH:
        assert bundle_has(sighting, aim.anchors) == ()


@given(sighting=sightings, extra=parties, wanted=anchor_sets)
def test_one_more_party_never_opens_a_gate(sighting: Sighting, extra: Party, wanted: frozenset[str]) -> None:
    more = replace(sighting, parties=(*sighting.parties, extra))
    for gate in (bundle_is, bundle_has):
        assert set(gate(sighting, wanted)) <= set(gate(more, wanted))
    assert set(leaves_are(sighting.parties, NEW)) <= set(leaves_are(more.parties, NEW))


@given(sighting=sightings, old=st.sampled_from([OLD, NEXT, STRANGER, None]))
def test_one_more_old_leaf_always_closes_the_gate_to_untrust(
    sighting: Sighting, old: Authority | None
) -> None:
    late = Party("late", "shop", "r1n1", "r1", leaf(old), frozenset({NEW.anchor}))
    objections = leaves_are((*sighting.parties, late), NEW)
    assert any(o.who.startswith("shop/late") and not o.unseen for o in objections)


@given(sighting=sightings, wanted=anchor_sets)
def test_silence_is_never_open_and_is_told_apart(sighting: Sighting, wanted: frozenset[str]) -> None:
    mute = Party("mute", "shop", "r1n2", "r1", silent="does not answer: timed out")
    quiet = replace(sighting, parties=(*sighting.parties, mute))
    expected = Objection("shop/mute on r1n2", "does not answer: timed out", unseen=True)
    assert expected in bundle_is(quiet, wanted)
    assert expected in bundle_has(quiet, wanted)
    assert expected in leaves_are(quiet.parties, NEW)


@given(sighting=sightings, wanted=anchor_sets, more=anchor_sets)
def test_what_is_trusted_beside_matters_to_one_gate_and_not_to_the_other(
    sighting: Sighting, wanted: frozenset[str], more: frozenset[str]
) -> None:
    if not bundle_is(sighting, wanted | more):
        assert bundle_has(sighting, wanted) == ()
    if not bundle_has(sighting, wanted | more):
        assert bundle_has(sighting, wanted) == ()


def test_an_objection_names_who_and_what() -> None:
    both = seen(OLD, (OLD, NEW), party("a"), party("b", NEW, OLD, NEW))
    lacking = bundle_is(both, {OLD.anchor, NEW.anchor})
    assert [str(o) for o in lacking] == [f"shop/a on r1n1: does not trust {NEW.anchor[:12]}"]
    extra = bundle_is(both, {NEW.anchor})
    assert "shop/b on r1n1: still trusts aaaaaaaaaaaa" in [str(o) for o in extra]
    served = leaves_are(both.parties, NEW)
    assert [str(o) for o in served] == [
        "shop/a on r1n1: serves a leaf from issuer 111111111111 under anchor aaaaaaaaaaaa"
    ]


def test_a_leaf_is_valid_from_its_first_to_its_last_moment() -> None:
    one = leaf(OLD)
    assert valid(one, one.not_before)
    assert valid(one, one.not_after)
    assert not valid(one, one.not_after + timedelta(seconds=1))
    assert not valid(one, one.not_before - timedelta(seconds=1))
