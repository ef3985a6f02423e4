"""A plan that reboots, broken on purpose: what the verifier does not let a reboot do."""

from __future__ import annotations

import json
from copy import deepcopy
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rollout.planner.codec import dump
from rollout.planner.maintain import plan_maintain
from rollout.verify.check import check
from tests.unit.planner_cases import request
from tests.unit.sites import site
from tests.unit.test_verify_mutations import Document, find, plan, refuted, rules, steps

GATEWAY, WORKER = "r1n1", "r1n3"
LAST = frozenset({"ProbeVips", "Soak"})


@cache
def text() -> str:
    return dump(plan_maintain(request(site()), ("apt-get", "-y", "upgrade"), reboot=True))


def rebooting() -> Document:
    found: Document = json.loads(text())
    return found


def test_a_plan_of_ours_that_reboots_is_verified() -> None:
    assert check(text(), rules()).counts["nodes"] == len(site().nodes)


@pytest.mark.parametrize("node", [GATEWAY, WORKER])
def test_a_reboot_without_a_note_of_the_boot_before_is_refuted(node: str) -> None:
    document = rebooting()
    stage, index = find(document, "NoteBoot", node)
    del stage[index]
    found = refuted(document)
    assert (found.rule, found.step) == ("VERIFY-REBOOT-01", f"maintenance/{node}/reboot")
    assert "which boot it is in" in found.message


@pytest.mark.parametrize("node", [GATEWAY, WORKER])
def test_a_command_between_the_note_and_the_reboot_is_refuted(node: str) -> None:
    """It may reboot the node itself, and the note would be of a boot that is over."""
    document = rebooting()
    stage, index = find(document, "NoteBoot", node)
    stage[index - 1], stage[index] = stage[index], stage[index - 1]
    assert refuted(document).rule == "VERIFY-REBOOT-01"


@pytest.mark.parametrize("node", [GATEWAY, WORKER])
def test_a_node_that_is_not_emptied_or_not_cordoned_is_not_rebooted(node: str) -> None:
    document = rebooting()
    for do in ("EvictAll", "RunCommand"):
        stage, index = find(document, do, node)
        del stage[index]
    uncordoned = deepcopy(document)
    found = refuted(document)
    assert (found.rule, "is not emptied" in found.message) == ("VERIFY-REBOOT-01", True)
    stage, index = find(uncordoned, "Cordon", node)
    del stage[index]
    assert "is not cordoned, and is not emptied" in refuted(uncordoned).message


def test_a_gateway_whose_routes_still_lead_to_it_is_not_rebooted() -> None:
    document = rebooting()
    for do in ("AwaitWithdrawn", "Withdraw", "DrainGateways", "EvictAll", "RunCommand"):
        stage, index = find(document, do, GATEWAY)
        del stage[index]
    for do, gates in (("Cordon", ["GW-N1-NOW", "NODE-FREE"]), ("Reboot", ["GW-N1-NOW"])):
        stage, index = find(document, do, GATEWAY)
        stage[index]["gates"] = gates
    assert "still has routes that lead to it" in refuted(document).message


def test_a_reboot_slipped_into_an_upgrade_is_refuted() -> None:
    document = plan()
    stage, index = find(document, "Evict", GATEWAY)
    gates = stage[index]["gates"]
    for do in ("Reboot", "NoteBoot"):
        effect = {"do": do, "node": GATEWAY}
        stage.insert(index + 1, {"key": f"x/{do}", "effect": effect, "gates": gates, "node": GATEWAY})
    assert refuted(document).rule == "VERIFY-REBOOT-01"


@pytest.mark.parametrize(("do", "node"), [("RestoreGateways", GATEWAY), ("AwaitNodeReady", WORKER)])
def test_what_comes_first_after_a_reboot_asks_the_clock(do: str, node: str) -> None:
    document = rebooting()
    stage, index = find(document, do, node)
    stage[index]["gates"] = []
    found = refuted(document)
    assert (found.rule, "CLOCK-OFFSET" in found.message) == ("VERIFY-GATE-01", True)


def test_a_reboot_is_gated_on_n_minus_1() -> None:
    for do, node, gate in (("Reboot", GATEWAY, "GW-N1-WITHOUT"), ("Reboot", WORKER, "GW-N1-NOW")):
        document = rebooting()
        stage, index = find(document, do, node)
        stage[index]["gates"].remove(gate)
        assert refuted(document).rule == "VERIFY-GATE-01"


def test_a_rebooted_node_is_seen_ready_before_it_takes_pods_again() -> None:
    document = rebooting()
    stage, index = find(document, "AwaitNodeReady", WORKER)
    del stage[index]
    assert refuted(document).rule == "VERIFY-ORDER-01"


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_no_visit_survives_a_random_swap_of_two_of_its_steps(data: st.DataObject) -> None:
    """Any two steps of one node's visit, except the last look from outside."""
    document = rebooting()
    node = data.draw(st.sampled_from([GATEWAY, WORKER, "r2n2"]))
    mine = [(s, i) for s, i in steps(document) if s[i]["node"] == node and s[i]["effect"]["do"] not in LAST]
    (one, i), (two, j) = data.draw(
        st.lists(st.sampled_from(mine), min_size=2, max_size=2, unique_by=lambda p: p[1])
    )
    one[i], two[j] = two[j], one[i]
    assert refuted(document).rule.startswith(("VERIFY-", "PLAN-N1-"))
