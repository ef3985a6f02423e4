"""Somebody else's hand in the middle of a rotation, and who must sign for one."""

from __future__ import annotations

from dataclasses import replace
from threading import Event

import pytest

from rollout.engine.approvals import required
from rollout.engine.course import course_of
from rollout.engine.journal import MemoryJournal
from rollout.engine.outcome import Word
from rollout.engine.ports import NoSigners, Signed
from rollout.engine.run import apply, resume
from rollout.errors import PlanRefused
from rollout.model.plan import Plan
from rollout.model.rekey import AwaitLeaves, AwaitTrust, HandOver, Signer
from rollout.model.step import Step
from rollout.planner.untrust import removes_root
from tests.unit.fake_trust import FakeTrust, anchor
from tests.unit.fake_world import TEMPO
from tests.unit.trust_scenes import EVERY, SCENES, WITH_ISSUERS, Stage, before, handovers, single

OLD, NEW = Signer(1, 1), Signer(2, 1)
MOMENTS = {
    "before the trust is looked at": ("trust/verifiers", 1),
    "before the switch": ("switch/hand-over", 1),
    "before the first wave of the drain": ("drain/verifiers-1", 2),
    "before the second wave of the drain": ("drain/verifiers-2", 2),
}
"""The key of the step before which a verifier loses the old root, and how many hand-overs were made by then."""


def cut(plan: Plan, key: str) -> tuple[Plan, Plan]:
    steps = [step for _, _, _, step in plan.numbered()]
    place = next(i for i, step in enumerate(steps) if step.key.endswith(key))
    kind = type(steps[place].effect)
    return before(plan, kind, sum(isinstance(s.effect, kind) for s in steps[: place + 1]))


def victim(trust: FakeTrust) -> str:
    return [p.name for p in trust.sight().parties if not p.leaving and p.trusts is not None][-1]


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("name", WITH_ISSUERS)
def test_a_root_that_somebody_takes_from_one_verifier_holds_the_run_until_it_is_back(
    name: str, moment: str
) -> None:
    stage, (key, told) = SCENES[name].build(), MOMENTS[moment]
    first, rest = cut(stage.plan(), key)
    assert stage.apply(first).word is Word.DONE
    stage.rack.wait(Event(), 2)
    journal, pod = MemoryJournal(), victim(stage.trust)
    stage.trust.taken_from(pod, 1)
    outcome = stage.apply(stage.fresh(rest), journal)
    assert outcome.word is Word.HELD
    assert {f.check for f in outcome.findings} == {"PKI-TRUST"}
    assert pod in outcome.detail
    assert anchor(1)[:12] in outcome.detail
    assert len([line for line in stage.trust.log if line.startswith("told")]) == told
    stage.trust.proxies[stage.trust.holder(stage.rack.pods[pod])].trusts |= {anchor(1)}
    stage.trust.failed.clear()
    assert resume(stage.world, journal, clock=stage.rack, tempo=TEMPO).word is Word.DONE
    stage.unbroken()


@pytest.mark.parametrize("name", WITH_ISSUERS)
def test_once_no_leaf_needs_it_a_root_that_went_early_is_only_early(name: str) -> None:
    stage = SCENES[name].build()
    first, rest = cut(stage.plan(), "untrust/hand-over")
    assert stage.apply(first).word is Word.DONE
    stage.rack.wait(Event(), 2)
    stage.trust.taken_from(victim(stage.trust), 1)
    assert stage.apply(stage.fresh(rest)).word is Word.DONE
    stage.unbroken()


@pytest.mark.parametrize("name", WITH_ISSUERS)
def test_a_verifier_that_lost_the_new_root_does_not_keep_the_signer_from_going_back(name: str) -> None:
    """It is what going back is for: the older leaf is the one that it still believes."""
    stage = SCENES[name].build()
    first, _ = cut(stage.plan(), "drain/verifiers-2")
    assert stage.apply(first).word is Word.DONE
    stage.rack.wait(Event(), 2)
    stage.trust.taken_from(victim(stage.trust), 2)
    step = Step("back", HandOver(stage.trust.mesh, (1, 2), OLD))
    plan = replace(stage.plan(), signatures=())
    assert stage.apply(single(plan, step)).word is Word.DONE
    assert stage.trust.told.signer == stage.trust.authority(OLD)


@pytest.mark.parametrize("name", EVERY)
def test_a_plan_that_removes_a_root_needs_two_people_wherever_it_begins(name: str) -> None:
    stage = SCENES[name].build()
    whole = stage.plan()
    plans = [whole]
    if name != "consul":
        cuts = [before(whole, AwaitTrust)[0], before(whole, AwaitLeaves)[0], before(whole, HandOver, 3)[0]]
        plans += [_begun(name, done, back=back) for done in cuts for back in (False, True)]
    for plan in plans:
        assert removes_root(plan.waves)
        assert [(s.purpose, s.people) for s in plan.signatures] == [("root-removal", 2)]
        bare = replace(plan, signatures=())
        assert dict(required(stage.rack.site.policy, bare)) == {"root-removal": 2}


def _begun(name: str, done: Plan, *, back: bool = False) -> Plan:
    stage = SCENES[name].build()
    assert stage.apply(done).word is Word.DONE
    stage.rack.wait(Event(), 3)
    return stage.plan(back=back)


class OnePerson:
    """One who signs under two names is one person still."""

    def signed(self, plan_id: str) -> tuple[Signed, ...]:
        del plan_id
        return (Signed("alice", "SHA256:a"), Signed("alice-2", "SHA256:a"))


@pytest.mark.parametrize("signers", [NoSigners(), OnePerson()])
def test_without_two_people_nothing_of_a_root_rotation_begins(signers: NoSigners | OnePerson) -> None:
    stage = SCENES["linkerd"].build()
    world = replace(stage.world, signers=signers)
    with pytest.raises(PlanRefused, match="RUN-APPROVAL-01"):
        apply(world, stage.plan(), MemoryJournal(), clock=stage.rack, tempo=TEMPO)
    assert stage.trust.log == []


@pytest.mark.parametrize("name", WITH_ISSUERS)
def test_a_new_issuer_under_the_same_root_needs_nobodys_signature(name: str) -> None:
    stage = SCENES[name].build()
    plan = stage.plan(issuer_only=True)
    assert not removes_root(plan.waves)
    assert plan.signatures == ()
    world = replace(stage.world, signers=NoSigners())
    assert apply(world, plan, MemoryJournal(), clock=stage.rack, tempo=TEMPO).word is Word.DONE


def test_a_plan_names_who_is_in_no_census_and_says_when_nobody_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """NEGATIVE CONTROL of every census: one of nobody is passed by whatever happens."""
    stage = SCENES["istio"].build()
    seen = stage.trust.sight()
    assert not [note for note in stage.plan().warnings if "census" in note]
    bare = replace(seen, parties=(), uncertified=seen.parties)
    monkeypatch.setattr(stage.trust, "sight", lambda _=None: bare)
    said = "\n".join(stage.plan().warnings)
    assert f"{len(seen.parties)} proxies hold no certificate of it and are in no census" in said
    assert str(seen.parties[0]).partition(" on ")[0] in said
    assert "every census here is of nobody" in said


def refused(stage: Stage, says: str, *, issuer_only: bool = False, back: bool = False) -> None:
    with pytest.raises(PlanRefused, match=says) as caught:
        course_of(stage.world, stage.trust.mesh, issuer_only=issuer_only, back=back)
    assert caught.value.exit_code == 3
    assert caught.value.hint


@pytest.mark.parametrize("name", EVERY)
def test_there_is_no_going_back_where_no_rotation_is(name: str) -> None:
    stage = SCENES[name].build()
    refused(stage, "is in no rotation", back=True)
    assert stage.apply(stage.plan()).word is Word.DONE
    refused(stage, "is in no rotation", back=True)


def test_there_is_no_going_back_once_the_old_root_is_out_of_the_bundle() -> None:
    stage = SCENES["linkerd"].build()
    first, _ = cut(stage.plan(), "untrust/r1n1/cordon")
    assert stage.apply(first).word is Word.DONE
    stage.rack.wait(Event(), 2)
    refused(stage, "is out of the bundle", back=True)


@pytest.mark.parametrize(
    ("accident", "says"),
    [
        ("signer", "signs with issuer"),
        ("unread", "signs with nobody"),
        ("verifier", "does not trust"),
        ("silent", "does not answer"),
        ("leaf", "did not issue"),
    ],
)
def test_a_rotation_starts_from_a_state_that_its_key_store_knows(accident: str, says: str) -> None:
    stage = SCENES["istio"].build()
    trust, pod = stage.trust, victim(stage.trust)
    match accident:
        case "signer":
            trust.mint(Signer(9, 1))
            trust.told = replace(trust.told, signer=trust.authority(Signer(9, 1)))
            trust.store.remove(Signer(9, 1))
        case "unread":
            trust.lost = True
        case "verifier":
            trust.taken_from(pod, 1)
        case "silent":
            trust.silent.add(pod)
        case "leaf":
            trust.mint(Signer(1, 2))
            found = trust.proxies[pod].leaf
            assert found
            trust.proxies[pod].leaf = replace(found, by=trust.authority(Signer(1, 2)))
    refused(stage, says)


def test_the_last_hand_over_says_what_it_takes_out_and_no_other_does() -> None:
    told = handovers(SCENES["linkerd"].build().plan())
    assert [(h.trusts, h.signer, h.untrusts) for h in told] == [
        ((1, 2), OLD, ()),
        ((1, 2), NEW, ()),
        ((2,), NEW, (1,)),
    ]
