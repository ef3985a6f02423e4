"""The verifier's negative control: valid plans, broken on purpose and sealed again, are each refuted."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from copy import deepcopy
from functools import cache
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rollout.engine.observe import observe
from rollout.model.site import Site
from rollout.planner.codec import dump
from rollout.planner.naive import plan_naive_upgrade
from rollout.planner.request import asked
from rollout.planner.upgrade import plan_upgrade
from rollout.verify.check import check
from rollout.verify.data import Rules, read_rules
from rollout.verify.document import content_hash
from rollout.verify.finding import Counterexample
from tests.unit.fake_world import roles, running
from tests.unit.sites import site

Document = dict[str, Any]
Steps = list[dict[str, Any]]


@cache
def rules() -> Rules:
    return read_rules(None)


@cache
def text(gateways: tuple[int, ...] = (2, 2, 1), vips: int = 1) -> str:
    small = site(gateways, vips=vips)
    return dump(plan_upgrade(asked(small, observe(running(small)[1]), roles(small), ("istio", "1.31.1"))))


def plan() -> Document:
    found: Document = json.loads(text())
    return found


def refuted(document: Document) -> Counterexample:
    """Sealed with a fitting id first: what is caught is not the edit but what it says."""
    document["id"] = content_hash(document)
    with pytest.raises(Counterexample) as caught:
        check(json.dumps(document), rules())
    return caught.value


def stages(document: Document) -> Iterator[Steps]:
    for wave in document["waves"]:
        for stage in wave["stages"]:
            yield stage["steps"]


def steps(document: Document) -> Iterator[tuple[Steps, int]]:
    for stage in stages(document):
        yield from ((stage, index) for index in range(len(stage)))


def find(document: Document, do: str, node: str | None = None) -> tuple[Steps, int]:
    for stage, index in steps(document):
        step = stage[index]
        if step["effect"]["do"] == do and node in (None, step["node"]):
            return stage, index
    raise AssertionError(do)


def control_wave(document: Document) -> int:
    return next(i for i, moves in enumerate(document["proof"]["windows"]) if moves["control"])


@pytest.mark.parametrize("gateways", [(2, 2, 1), (1, 1, 1), (2, 2, 0, 3)])
@pytest.mark.parametrize("vips", [1, 3])
def test_a_plan_of_ours_is_verified(gateways: tuple[int, ...], vips: int) -> None:
    found = check(text(gateways, vips), rules())
    assert found.counts["states"] > 5
    assert found.counts["nodes"] == sum(gateways) + len(gateways)
    assert found.notes == []


def test_an_edited_file_is_told_from_a_wrong_plan() -> None:
    document = plan()
    document["warnings"] = ["all is well"]
    with pytest.raises(Counterexample) as caught:
        check(json.dumps(document), rules())
    assert caught.value.rule == "PLAN-EDITED-01"


@pytest.mark.parametrize("broken", ["", "[]", "null", '{"format": "rackroll/plan/v1"}', "[" * 100_000])
def test_what_is_no_plan_is_said_to_be_none(broken: str) -> None:
    with pytest.raises(Counterexample) as caught:
        check(broken, rules())
    assert caught.value.rule == "PLAN-FORMAT-01"


GATEWAY = (
    "DrainGateways",
    "Withdraw",
    "AwaitWithdrawn",
    "Cordon",
    "Evict",
    "AwaitNodeReady",
    "Uncordon",
    "Advertise",
    "AwaitAdvertised",
    "ProbeVips",
    "Soak",
)


@pytest.mark.parametrize("do", GATEWAY)
def test_a_gateway_nodes_visit_misses_no_step(do: str) -> None:
    document = plan()
    stage, index = find(document, do, "r2n1")
    del stage[index]
    assert refuted(document).rule in {"VERIFY-ORDER-01", "VERIFY-PROOF-01", "VERIFY-GATE-01"}


@pytest.mark.parametrize("pair", list(pairwise(GATEWAY[:-1])))
def test_a_gateway_nodes_visit_keeps_its_order(pair: tuple[str, str]) -> None:
    document = plan()
    stage, index = find(document, pair[0], "r2n1")
    assert stage[index + 1]["effect"]["do"] == pair[1]
    stage[index], stage[index + 1] = stage[index + 1], stage[index]
    assert refuted(document).rule in {"VERIFY-ORDER-01", "VERIFY-PROOF-01", "VERIFY-GATE-01"}


@pytest.mark.parametrize("do", ["Cordon", "Evict", "AwaitNodeReady", "Uncordon"])
def test_a_workers_visit_misses_no_step(do: str) -> None:
    document = plan()
    stage, index = find(document, do, "r2n3")
    del stage[index]
    assert refuted(document).rule in {"VERIFY-ORDER-01", "VERIFY-PROOF-01", "VERIFY-BACK-01"}


def test_every_gate_about_n_minus_1_and_the_nodes_order_is_needed() -> None:
    count = 0
    for stage, index in steps(plan()):
        for gate in {"GW-N1-WITHOUT", "GW-N1-NOW", "GW-ROUTE-GONE", "NODE-FREE"} & set(stage[index]["gates"]):
            document = plan()
            same = next(s[i] for s, i in steps(document) if s[i]["key"] == stage[index]["key"])
            same["gates"].remove(gate)
            found = refuted(document)
            assert (found.rule, found.step) == ("VERIFY-GATE-01", same["key"])
            assert gate in found.message
            count += 1
    assert count > 20


def test_a_node_that_is_never_brought_back_is_named() -> None:
    document = plan()
    stage, index = find(document, "Uncordon", "r3n2")
    del stage[index]
    found = refuted(document)
    assert found.rule == "VERIFY-BACK-01"
    assert "r3n2 is left cordoned" in found.message


def test_two_gateway_nodes_are_never_out_together() -> None:
    document = plan()
    stage = next(s for s in stages(document) if {x["node"] for x in s} >= {"r2n1", "r2n2"})
    one = [s for s in stage if s["node"] == "r2n1"]
    two = [s for s in stage if s["node"] == "r2n2"]
    stage[:] = [step for pair in zip(one, two, strict=True) for step in pair]
    assert refuted(document).rule in {"VERIFY-ORDER-01", "PLAN-N1-01"}


def test_the_data_plane_never_moves_before_its_control_plane() -> None:
    document = plan()
    document["waves"].append(document["waves"].pop(control_wave(document)))
    found = refuted(document)
    assert found.rule in {"VERIFY-PIN-01", "ISTIO-SKEW-01"}
    assert found.step


def test_a_control_plane_two_minors_ahead_is_refuted_by_upstreams_rule() -> None:
    document = plan()
    for stage, index in steps(document):
        if stage[index]["effect"]["do"] == "AwaitControlPlane":
            stage[index]["effect"]["version"] = "1.29.2"
    assert refuted(document).rule == "ISTIO-SKEW-01"


def test_a_control_plane_of_another_patch_does_not_fit_the_proof() -> None:
    document = plan()
    stage, index = find(document, "AwaitControlPlane")
    stage[index]["effect"]["version"] = "1.31.0"
    assert refuted(document).rule in {"VERIFY-PROOF-01", "VERIFY-PIN-01"}


def test_an_eviction_to_another_version_is_refuted() -> None:
    document = plan()
    stage, index = find(document, "Evict", "r2n1")
    stage[index]["effect"]["version"] = "1.31.0"
    assert refuted(document).rule == "VERIFY-PIN-01"


def test_a_step_that_touches_another_node_is_refuted() -> None:
    document = plan()
    stage, index = find(document, "Evict", "r2n1")
    stage[index]["effect"]["node"] = "r1n1"
    assert refuted(document).rule == "VERIFY-ORDER-01"


def test_one_wave_for_everything_breaks_the_window_rule() -> None:
    document = plan()
    first, *others = document["waves"]
    for wave in others:
        first["stages"] += wave["stages"]
    document["waves"] = [first]
    assert refuted(document).rule == "PLAN-WINDOW-01"


def test_two_steps_of_one_name_are_refuted() -> None:
    document = plan()
    stage, index = find(document, "Soak", "r2n1")
    stage[index]["key"] = stage[index - 1]["key"]
    assert refuted(document).rule == "VERIFY-ORDER-01"


def _set(*path: str | int, to: object) -> Callable[[Document], None]:
    def edit(document: Document) -> None:
        place: Any = document["proof"]
        for part in path[:-1]:
            place = place[part]
        assert place[path[-1]] != to, "an edit that changes nothing proves nothing"
        place[path[-1]] = to

    return edit


def _drop(*path: str | int) -> Callable[[Document], None]:
    def edit(document: Document) -> None:
        place: Any = document["proof"]
        for part in path[:-1]:
            place = place[part]
        del place[path[-1]]

    return edit


PROOFS = {
    "a gateway too many": (_set("states", 4, "serving", to=5), "VERIFY-PROOF-01"),
    "another configuration": (_set("states", 4, "configuration", to=0), "VERIFY-PROOF-01"),
    "a state less": (_drop("states", 4), "VERIFY-PROOF-01"),
    "the last state less": (_drop("states", -1), "VERIFY-PROOF-01"),
    "a between passed over": (_set("states", 1, "during", to=False), "VERIFY-PROOF-01"),
    "a broken rule that was not": (
        _set("configurations", 0, "verdicts", 0, "holds", to=False),
        "VERIFY-PROOF-01",
    ),
    "a verdict less": (_drop("configurations", 1, "verdicts", 0), "VERIFY-PROOF-01"),
    "another version": (
        _set("configurations", 2, "running", 0, "versions", to=["1.31.2"]),
        "VERIFY-PROOF-01",
    ),
    "a configuration less": (_drop("configurations", -1), "VERIFY-PROOF-01"),
    "no way back": (_drop("undo", 0), "VERIFY-PROOF-01"),
    "a way back that is none": (_set("undo", 0, "verdicts", 0, "holds", to=False), "VERIFY-PROOF-01"),
    "a point of no return": (
        _set("no_return", to={"step": "istio/control-plane", "rule": "ISTIO-JUMP-01"}),
        "VERIFY-PROOF-01",
    ),
    "a calmer wave": (_set("windows", 2, "gateways", to=0), "VERIFY-PROOF-01"),
    "a wave without control plane": (_set("windows", 1, "control", to=[]), "VERIFY-PROOF-01"),
    "broken at the start": (
        _set("found", to=[{"rule": "ISTIO-SKEW-01", "holds": False, "arithmetic": "", "severity": "refuse"}]),
        "VERIFY-PROOF-01",
    ),
    "something unchecked": (_set("unchecked", to=["istio: no such line"]), "VERIFY-PROOF-01"),
    "a rule less": (_drop("rules", 0), "VERIFY-RULES-01"),
    "a rule's numbers": (_set("rules", 0, "numbers", to=["up=5"]), "VERIFY-RULES-01"),
    "a rule's source": (_set("rules", 0, "source", to="hearsay"), "VERIFY-RULES-01"),
    "a rule's age": (_set("rules", 0, "date", to="2030-01-01"), "VERIFY-RULES-01"),
    "an older start": (_set("start", "groups", 0, "version", to="1.29.9"), "VERIFY-PROOF-01"),
    "a gateway node less": (_drop("start", "gateway_nodes", 0), "VERIFY-PROOF-01"),
    "everything dark": (_set("start", "dark", to=["ingress-1"]), "PLAN-N1-01"),
    "a missing field": (_drop("start"), "PLAN-FORMAT-01"),
    "a start of another shape": (_set("start", "groups", to="all"), "PLAN-FORMAT-01"),
}


@pytest.mark.parametrize("name", PROOFS)
def test_an_edited_proof_is_refuted(name: str) -> None:
    edit, rule = PROOFS[name]
    document = plan()
    edit(document)
    assert refuted(document).rule == rule


def test_the_negative_control_is_refuted_even_with_every_gate() -> None:
    small: Site = site()
    naive = plan_naive_upgrade(asked(small, observe(running(small)[1]), roles(small), ("istio", "1.31.1")))
    document = json.loads(dump(naive))
    assert refuted(deepcopy(document)).rule == "VERIFY-GATE-01"
    for stage, index in steps(document):
        stage[index]["gates"] = ["GW-N1-NOW", "GW-N1-WITHOUT", "NODE-FREE", "GW-ROUTE-GONE"]
    assert refuted(deepcopy(document)).rule == "ISTIO-SKEW-01", (
        "a pod that restarts early runs ahead of istiod"
    )
    for stage, index in steps(document):
        if stage[index]["effect"]["do"] == "InstallChart":
            stage[index]["effect"]["data_plane"] = "1.30.3"
    assert refuted(document).rule == "PLAN-N1-01"


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_no_visit_survives_a_random_swap_of_two_of_its_steps(data: st.DataObject) -> None:
    """Any two different steps of one gateway node's visit, except the last look from outside."""
    document = plan()
    node = data.draw(st.sampled_from(["r1n1", "r1n2", "r2n1", "r2n2"]))
    mine = [(s, i) for s, i in steps(document) if s[i]["node"] == node][:-2]
    (one, i), (two, j) = data.draw(
        st.lists(st.sampled_from(mine), min_size=2, max_size=2, unique_by=lambda p: p[1])
    )
    one[i], two[j] = two[j], one[i]
    assert refuted(document).rule.startswith(("VERIFY-", "PLAN-N1-"))
