"""Plans of every subject and of every kind, as the planner makes them today: the verifier finds nothing against them,
and finds every step that is left out of a gateway node's visit.
"""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from typing import Any

import pytest

from rollout.engine.journal import MemoryJournal
from rollout.engine.observe import observe
from rollout.engine.outcome import Word
from rollout.engine.run import apply
from rollout.model.plan import Options, Plan
from rollout.planner.codec import dump
from rollout.planner.maintain import plan_maintain
from rollout.planner.request import asked
from rollout.planner.rollback import plan_rollback
from rollout.planner.upgrade import plan_upgrade
from rollout.verify.check import check
from rollout.verify.data import Rules, read_rules
from rollout.verify.document import content_hash
from rollout.verify.finding import Checked, Counterexample
from tests.unit import subject_sites as sites
from tests.unit.fake_rack import FakeRack
from tests.unit.fake_world import TEMPO, roles, running, world
from tests.unit.planner_cases import request
from tests.unit.sites import site
from tests.unit.test_golden_subjects import CASES, NAMES, Case

LOOKS = frozenset({"ProbeVips", "Soak", "TakeSnapshot"})
"""What a plan could do without and still be safe."""


@cache
def rules() -> Rules:
    return read_rules(None)


def verified(plan: Plan) -> Checked:
    return check(dump(plan), rules())


def case(name: str) -> Case:
    return CASES[NAMES.index(name)]


@pytest.mark.parametrize("name", NAMES)
def test_a_plan_of_every_subject_is_verified(name: str) -> None:
    _, live = case(name).scene()
    counts = verified(plan_upgrade(case(name).request(live))).counts
    assert counts["nodes"] >= 2
    assert counts["rules"] >= 5


@pytest.mark.parametrize("name", NAMES)
def test_every_step_of_a_gateway_nodes_visit_is_needed_whatever_the_subject(name: str) -> None:
    _, live = case(name).scene()
    text = dump(plan_upgrade(case(name).request(live)))
    dropped = 0
    for wave, stage, index, do in _visit(json.loads(text)):
        document = json.loads(text)
        del document["waves"][wave]["stages"][stage]["steps"][index]
        document["id"] = content_hash(document)
        with pytest.raises(Counterexample):
            pytest.fail(f"{do}: {check(json.dumps(document), rules())}")
        dropped += 1
    assert dropped >= 7 or name == "linkerd", "linkerd has no gateway nodes of its own here"


def _visit(document: dict[str, Any]) -> list[tuple[int, int, int, str]]:
    """Steps of the first node that is withdrawn, but for what only looks."""
    rows = [
        (w, s, i, step)
        for w, wave in enumerate(document["waves"])
        for s, stage in enumerate(wave["stages"])
        for i, step in enumerate(stage["steps"])
    ]
    node = next((step["node"] for *_, step in rows if step["effect"]["do"] == "Withdraw"), None)
    return [
        (w, s, i, step["effect"]["do"])
        for w, s, i, step in rows
        if node and step["node"] == node and step["effect"]["do"] not in LOOKS
    ]


BACK = ("istio-in-place", "istio-revision", "cilium")
"""Subjects whose rules know a way down."""


@pytest.mark.parametrize("name", BACK)
def test_a_rollback_is_verified(name: str) -> None:
    rack, live = case(name).scene()
    forward = plan_upgrade(case(name).request(live))
    outcome = apply(live, forward, MemoryJournal(), clock=rack, tempo=TEMPO)
    assert outcome.word is Word.DONE
    back = plan_rollback(asked(live.site, observe(live), live.roles), forward)
    counts = verified(back).counts
    assert counts["moves taken back"] >= 1
    assert counts["states"] > 5


def test_a_rollback_that_begins_with_a_gateway_down_is_verified() -> None:
    small = site()
    rack, live = running(small, "1.31.1")
    rack.rib["ingress-1", "r2n2"] = False
    forward = plan_upgrade(request(small, ("istio", "1.31.1")))
    assert verified(plan_rollback(asked(small, observe(live), roles(small)), forward)).counts["nodes"] == 6


def test_a_maintenance_is_verified_and_moves_no_version() -> None:
    _, live = case("istio-in-place").scene()
    plan = plan_maintain(asked(live.site, observe(live), live.roles), ("dnf", "-y", "upgrade"), "patch day")
    counts = verified(plan).counts
    assert (counts["configurations"], counts["moves taken back"]) == (1, 0)
    assert counts["nodes"] == len(live.site.nodes)


def test_a_maintenance_that_reboots_is_verified() -> None:
    _, live = case("istio-in-place").scene()
    found = asked(live.site, observe(live), live.roles)
    assert verified(plan_maintain(found, (), reboot=True)).counts["nodes"] == len(live.site.nodes)
    assert verified(plan_maintain(found, ("true",), reboot=True)).counts["configurations"] == 1


def test_a_plan_for_one_rack_is_verified_although_it_ends_half_way() -> None:
    _, live = case("istio-in-place").scene()
    options = Options(limit="rack:r1")
    plan = plan_upgrade(replace(case("istio-in-place").request(live), options=options))
    assert verified(plan).counts["nodes"] == 3


def test_four_minors_of_istio_and_three_of_kubernetes_in_one_plan_are_verified() -> None:
    rack = FakeRack(sites.kubernetes(), kubernetes="1.33.4")
    rack.install_all({"kubernetes": "1.33.4", "istio": "1.27.3"})
    live = world(rack)
    wanted = asked(live.site, observe(live), live.roles, ("istio", "1.31.1"), ("kubernetes", "1.36.1"))
    plan = plan_upgrade(replace(wanted, via=(("kubernetes", "1.34.2"), ("kubernetes", "1.35.2"))))
    checked = verified(plan)
    assert len(plan.hops) == 8
    assert checked.counts["configurations"] > 15
    assert plan.proof.no_return is not None
    assert any(note.startswith("no way back from") for note in checked.notes)
