"""The verifier's rules for rotations: plans of ours are verified, and each of their steps left out, moved or edited is
refuted, with a fitting id sealed first.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from threading import Event
from typing import Any

import pytest

from rollout.engine.course import handed
from rollout.engine.observe import observe
from rollout.model.rekey import AwaitLeaves, AwaitTrust, HandOver
from rollout.planner.bringup import plan_bringup
from rollout.planner.codec import dump
from rollout.planner.request import asked
from rollout.verify.check import check
from rollout.verify.data import Rules, read_rules
from rollout.verify.document import content_hash, steps_of
from rollout.verify.finding import Counterexample
from rollout.verify.trust import Trust
from tests.unit.fake_trust import anchor
from tests.unit.trust_scenes import EVERY, SCENES, WITH_ISSUERS, before, handovers

Document = dict[str, Any]
Row = tuple[list[dict[str, Any]], int]
LOOKS = frozenset({"ProbeVips", "Soak", "TakeSnapshot"})
"""What a plan could do without and still be safe."""

CHANGES = frozenset({"MintAuthority", "HandOver", "RestartControlPlane", "AwaitTrust", "AwaitLeaves"})
LATE = frozenset({"RenewLate"})
"""Heals what would hold the look after it: a plan without it is as safe."""

NODES = frozenset({"RenewProxies", "AwaitRenewed"})


@cache
def rules() -> Rules:
    return read_rules(None)


@cache
def text(name: str, *, issuer_only: bool = False) -> str:
    return dump(SCENES[name].build().plan(issuer_only=issuer_only))


def verified(plan: str) -> dict[str, int]:
    return check(plan, rules()).counts


def refuted(document: Document) -> Counterexample:
    document["id"] = content_hash(document)
    with pytest.raises(Counterexample) as caught:
        check(json.dumps(document), rules())
    return caught.value


def rows(document: Document) -> Iterator[Row]:
    for wave in document["waves"]:
        for stage in wave["stages"]:
            yield from ((stage["steps"], index) for index in range(len(stage["steps"])))


def at(document: Document, key: str) -> Row:
    return next((steps, i) for steps, i in rows(document) if steps[i]["key"] == key)


def keys(plan: str, kinds: frozenset[str]) -> list[str]:
    found = (steps[i] for steps, i in rows(json.loads(plan)))
    return [step["key"] for step in found if step["effect"]["do"] in kinds]


def rekeys(plan: str) -> list[str]:
    """Every step that changes or looks at trust, and those of the first two nodes that are walked in each phase."""
    nodes = [key for key in keys(plan, NODES) if "/r1n1/" in key or "/r2n3/" in key]
    return keys(plan, CHANGES) + nodes


PLANS = [(name, False) for name in EVERY] + [(name, True) for name in WITH_ISSUERS]
IDS = [f"{name}{'-issuer' if issuer_only else ''}" for name, issuer_only in PLANS]


@pytest.mark.parametrize(("name", "issuer_only"), PLANS, ids=IDS)
def test_a_rotation_of_ours_is_verified(name: str, issuer_only: bool) -> None:
    assert verified(text(name, issuer_only=issuer_only))["steps"] >= 7


@pytest.mark.parametrize("name", WITH_ISSUERS)
@pytest.mark.parametrize("effect", [AwaitTrust, AwaitLeaves, HandOver])
def test_a_plan_that_goes_on_in_the_middle_and_one_that_goes_back_are_verified(
    name: str, effect: type
) -> None:
    stage = SCENES[name].build()
    whole = stage.plan()
    count = sum(isinstance(step.effect, effect) for _, _, _, step in whole.numbered())
    for number in {1, max(1, count // 2), count} if count else set():
        begun = SCENES[name].build()
        begun.apply(before(begun.plan(), effect, number)[0])
        begun.rack.wait(Event(), 3)
        verified(dump(begun.plan()))
        if anchor(1) in begun.trust.told.published:
            verified(dump(begun.plan(back=True)))


@pytest.mark.parametrize(("name", "issuer_only"), PLANS, ids=IDS)
def test_no_step_of_a_rotation_can_be_left_out(name: str, issuer_only: bool) -> None:
    plan = text(name, issuer_only=issuer_only)
    for key in rekeys(plan):
        document = json.loads(plan)
        steps, index = at(document, key)
        del steps[index]
        assert refuted(document).rule.startswith("VERIFY-"), key


@pytest.mark.parametrize(("name", "issuer_only"), PLANS, ids=IDS)
def test_no_two_changes_or_looks_of_a_rotation_can_change_places(name: str, issuer_only: bool) -> None:
    plan = text(name, issuer_only=issuer_only)
    mine = [key for key in keys(plan, CHANGES) if "/verifiers-" not in key]
    swapped = 0
    for i, one in enumerate(mine):
        for two in mine[i + 1 :]:
            document = json.loads(plan)
            (a, x), (b, y) = at(document, one), at(document, two)
            if a[x]["effect"] != b[y]["effect"] and not _two_looks(mine[i : mine.index(two) + 1]):
                a[x], b[y] = b[y], a[x]
                assert refuted(document).rule.startswith("VERIFY-"), (one, two)
                swapped += 1
    assert swapped >= 3


def _two_looks(between: list[str]) -> bool:
    """Neighbours that change nothing: which comes first is all one."""
    return all(key.endswith(("/verifiers", "/census")) for key in between)


EDITS: dict[str, Any] = {
    "trusts": lambda found: found[1:] if len(found) > 1 else [*found, 7],
    "signer": lambda found: {**(found or {"issuer": 1}), "generation": 7},
    "untrusts": lambda found: [] if found else [7],
    "mesh": lambda _: "metallb",
}


@pytest.mark.parametrize(("name", "issuer_only"), PLANS, ids=IDS)
@pytest.mark.parametrize("field", EDITS)
def test_no_step_of_a_rotation_can_say_something_else(name: str, issuer_only: bool, field: str) -> None:
    plan = text(name, issuer_only=issuer_only)
    for key in rekeys(plan) + keys(plan, LATE):
        document = json.loads(plan)
        steps, index = at(document, key)
        effect = steps[index]["effect"]
        if field in effect:
            effect[field] = EDITS[field](effect[field])
            assert refuted(document).rule.startswith("VERIFY-"), key


@pytest.mark.parametrize(("name", "issuer_only"), PLANS, ids=IDS)
def test_every_gate_of_a_change_is_needed(name: str, issuer_only: bool) -> None:
    plan = text(name, issuer_only=issuer_only)
    gated = keys(plan, LATE | {"MintAuthority", "HandOver", "RestartControlPlane"})
    for key in gated:
        steps, index = at(json.loads(plan), key)
        for gate in {"CLOCK-OFFSET", "PKI-CLOCK", "GW-N1-NOW", "PDB-ALLOWS"} & set(steps[index]["gates"]):
            document = json.loads(plan)
            again, i = at(document, key)
            again[i]["gates"].remove(gate)
            found = refuted(document)
            assert (found.rule, found.step) == ("VERIFY-GATE-01", key)


def drop(document: Document, *parts: str) -> None:
    for steps, index in reversed(list(rows(document))):
        if any(part in steps[index]["key"] for part in parts):
            del steps[index]


def test_each_rule_has_the_plan_that_it_is_there_for() -> None:
    """By name, for whoever reads docs/checks.md: what each id refutes, in the smallest edit."""
    found: dict[str, Document] = {number: json.loads(text("linkerd")) for number in "1234567"}
    drop(found["1"], "linkerd/trust/verifiers")
    drop(found["2"], "linkerd/drain/census")
    drop(found["3"], "linkerd/mint")
    steps, index = at(found["4"], "linkerd/switch/hand-over")
    steps[index]["effect"]["untrusts"] = [1]
    steps[index]["effect"]["trusts"] = [2]
    drop(found["5"], "linkerd/untrust/verifiers")
    drop(found["6"], "linkerd/switch/control-plane")
    drop(found["7"], "linkerd/drain/verifiers-2")
    assert [refuted(document).rule for document in found.values()] == [
        f"VERIFY-TRUST-0{number}" for number in found
    ]


def test_the_naive_swap_is_refuted_however_it_is_written() -> None:
    """One hand-over to the new root alone: with and without saying what it takes out, with every wait around it."""
    for untrusts in ([], [1]):
        document = json.loads(text("istio"))
        drop(document, "istio/trust/hand-over", "istio/trust/verifiers", "istio/switch/hand-over")
        steps, index = at(document, "istio/untrust/hand-over")
        steps[index]["effect"]["untrusts"] = untrusts
        assert refuted(document).rule.startswith("VERIFY-TRUST-")


def test_a_bringup_hands_over_once_and_takes_nothing_out() -> None:
    document = json.loads(text("istio"))
    told = next(step for step in steps_of(document) if step.do == "HandOver")
    first = replace(told, gates=frozenset(), effect={**told.effect, "trusts": [1]})
    removal = replace(first, effect={**first.effect, "untrusts": [2]})
    astray = replace(first, effect={**first.effect, "trusts": [2]})
    for kind, some, rule in (
        ("bringup", [first], None),
        ("bringup", [first, first], "VERIFY-TRUST-04"),
        ("bringup", [removal], "VERIFY-TRUST-04"),
        ("bringup", [astray], "VERIFY-TRUST-01"),
        ("rotate", [first], "VERIFY-GATE-01"),
    ):
        trust = Trust(kind, document["proof"]["start"])
        try:
            for step in some:
                trust.step(step)
            trust.end()
            found = None
        except Counterexample as caught:
            found = caught.rule
        assert found == rule


@pytest.mark.parametrize("name", EVERY)
def test_a_bringup_of_ours_that_hands_trust_over_is_verified(name: str) -> None:
    stage = SCENES[name].build()
    live = stage.world
    request = replace(asked(live.site, observe(live), live.roles), trust=handed(live))
    plan = plan_bringup(request)
    assert [h.trusts for h in handovers(plan)] == [(1,)]
    assert verified(dump(plan))["steps"] > 5
