"""What is planned: the order, the gates, the proof, and that a plan is a value."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

import pytest

from rollout.engine.observe import observe
from rollout.errors import RackrollError
from rollout.model.plan import Options, Plan
from rollout.model.site import Site
from rollout.planner.bringup import plan_bringup
from rollout.planner.codec import dump, load, read_plan, to_document
from rollout.planner.digest import observed_digest
from rollout.planner.maintain import plan_maintain
from rollout.planner.naive import is_negative_control, plan_naive_upgrade
from rollout.planner.refuse import RuleRefused
from rollout.planner.render import render_plan
from rollout.planner.request import Request, asked
from rollout.planner.rollback import plan_rollback
from rollout.planner.titles import title
from rollout.planner.upgrade import plan_upgrade
from rollout.rules.n1 import floor
from rollout.site.load import load_site
from tests.unit.fake_world import FakeRack, roles, running, world
from tests.unit.sites import site

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "plans"


def upgrade(small: Site, version: str = "1.31.1") -> Plan:
    return plan_upgrade(asked(small, observe(running(small)[1]), roles(small), ("istio", version)))


def kinds(plan: Plan, node: str) -> list[str]:
    return [type(step.effect).__name__ for _, _, _, step in plan.numbered() if step.node == node]


def test_the_node_transaction_has_the_order_that_lost_nothing() -> None:
    assert kinds(upgrade(site()), "r1n1") == [
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
    ]


def test_a_worker_is_cordoned_emptied_and_given_back_without_touching_routes() -> None:
    assert kinds(upgrade(site()), "r1n3") == ["Cordon", "Evict", "AwaitNodeReady", "Uncordon"]


def test_a_node_without_old_proxies_is_left_alone() -> None:
    rack, live = running(site())
    rack.pods = {name: pod for name, pod in rack.pods.items() if pod.node != "r1n3"}
    plan = plan_upgrade(asked(rack.site, observe(live), live.roles, ("istio", "1.31.1")))
    assert kinds(plan, "r1n3") == []
    assert kinds(plan, "r2n3") != []


def test_the_gateway_chart_comes_last_and_only_after_on_delete_is_made_sure_of() -> None:
    keys = [step.key for _, _, _, step in upgrade(site()).numbered()]
    control = keys.index("istio/control-plane")
    assert (
        control
        < keys.index("istio/objects/gateways-update-strategy")
        < keys.index("istio/chart/ingress-1")
        < keys.index("istio/r1n1/drain")
    )


def test_every_step_that_takes_a_gateway_away_is_gated_on_n_minus_1() -> None:
    for _, _, _, step in upgrade(site()).numbered():
        if type(step.effect).__name__ in {"DrainGateways", "Withdraw"}:
            assert "GW-N1-WITHOUT" in step.gates
        if type(step.effect).__name__ in {"Cordon", "Evict"} and step.node in {"r1n1", "r2n2"}:
            assert "GW-ROUTE-GONE" in step.gates


def test_one_rack_is_finished_before_the_next_begins() -> None:
    racks = [step.node[:2] for _, _, _, step in upgrade(site((2, 2, 1))).numbered() if step.node]
    assert racks == sorted(racks)


def test_keys_are_unique_so_that_the_journal_can_tell_steps_apart() -> None:
    for plan in (upgrade(site((2, 2), vips=2)), _bringup(site())):
        keys = [step.key for _, _, _, step in plan.numbered()]
        assert len(keys) == len(set(keys))


def test_only_what_is_not_yet_there_is_planned() -> None:
    small = site()
    rack, live = running(small, "1.31.1")
    for pod in rack.pods.values():
        if pod.node.startswith("r2") and pod.gateway:
            pod.version = "1.30.3"
    plan = plan_upgrade(asked(small, observe(live), live.roles, ("istio", "1.31.1")))
    waves = ["before", "control plane", "canary node r2n1", "canary rack r2", "after"]
    assert [wave.name for wave in plan.waves] == waves
    ahead = [step.key for stage in plan.waves[1].stages for step in stage.steps]
    assert ahead[0] == "istio/release/chart/istiod", "whether the last run let the proxies go cannot be seen"
    assert {step.node for _, _, _, step in plan.numbered() if step.node} == {"r2n1", "r2n2"}


def test_nothing_to_do_is_a_plan_without_steps() -> None:
    small = site()
    plan = plan_upgrade(asked(small, observe(running(small, "1.31.1")[1]), roles(small), ("istio", "1.31.1")))
    assert plan.steps == 0
    assert "nothing to do" in render_plan(plan)


def test_the_proof_has_every_state_and_none_is_below_n_minus_1() -> None:
    proof = upgrade(site()).proof
    assert len([state for state in proof.states if not state.during]) == 2 + 3 * 4 + 2
    assert [state.step for state in proof.states if state.during] == ["istio/control-plane"]
    assert all(state.serving >= floor(proof.gateways_total) for state in proof.states)
    for configuration in proof.configurations:
        assert any(verdict.rule == "ISTIO-SKEW-01" for verdict in configuration.verdicts)
        assert all(verdict.holds for verdict in configuration.verdicts)


def test_a_gateway_that_is_drained_but_not_moved_is_let_live_again_before_its_route_returns() -> None:
    alone = site()
    other = replace(alone.gateways[0], name="other-ingress", mesh="other", vip=ip_address("203.0.113.2"))
    shared = replace(alone, meshes=(*alone.meshes, replace(alone.meshes[0], name="other", gateways=(other,))))
    found = observe(running(alone)[1])
    stays = tuple(
        replace(p, mesh="other", gateway="other-ingress", pod=f"other-{p.pod}")
        for p in found.proxies
        if p.gateway
    )
    rib = (*found.rib, *(replace(entry, vip=other.vip) for entry in found.rib))
    both = replace(found, proxies=(*found.proxies, *stays), rib=rib)
    verbs = kinds(plan_upgrade(asked(shared, both, roles(shared), ("istio", "1.31.1"))), "r1n1")
    assert verbs[4:8] == ["Evict", "RestoreGateways", "AwaitNodeReady", "Uncordon"]
    assert "RestoreGateways" not in kinds(upgrade(alone), "r1n1")


def test_the_negative_control_says_so_and_its_proof_shows_what_breaks() -> None:
    small = site()
    plan = plan_naive_upgrade(asked(small, observe(running(small)[1]), roles(small), ("istio", "1.31.1")))
    assert is_negative_control(plan)
    assert not is_negative_control(upgrade(small))
    assert plan.warnings[0].startswith("NEGATIVE CONTROL")
    assert min(state.serving for state in plan.proof.states) == 0
    assert "GW-N1 BROKEN" in render_plan(plan)
    assert [wave.name for wave in plan.waves] == ["all racks at once"]


def test_a_plan_survives_its_file() -> None:
    for plan in (upgrade(site()), _bringup(site())):
        assert load(dump(plan)) == plan


def test_planning_twice_gives_the_same_id() -> None:
    assert upgrade(site()).id == upgrade(site()).id
    assert upgrade(site()).id != upgrade(site((2, 3))).id


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"do": "Withdraw"', '"do": "Uncordon"'),
        ('"GW-N1-WITHOUT"', '"GW-N1-NOW"'),
        ('"wait": "1.5s"', '"wait": "0s"'),
        ('"after": "1.31.1"', '"after": "1.31.2"'),
    ],
)
def test_an_edited_plan_file_is_refused(old: str, new: str) -> None:
    text = dump(upgrade(site()))
    assert old in text
    with pytest.raises(RuleRefused) as caught:
        load(text.replace(old, new, 1), "plan.json")
    assert caught.value.rule == "PLAN-EDITED-01"
    assert caught.value.where == "plan.json"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "null",
        "{}",
        '{"format": "rackroll/plan/v9"}',
        '{"format": "rackroll/plan/v3"}',
        "[" * 100_000,
        '{"format": "rackroll/plan/v3", "id": 3}',
    ],
)
def test_what_is_no_plan_is_refused_without_a_traceback(text: str) -> None:
    with pytest.raises(RuleRefused) as caught:
        load(text)
    assert caught.value.rule == "PLAN-FORMAT-01"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("waves", 0, "stages", 0, "steps", 0, "effect", "do"), "Format"),
        (("waves", 0, "stages", 0, "steps", 0, "effect"), {"do": "Withdraw"}),
        (("waves",), "all"),
        (("kind",), "party"),
        (("proof", "states", 0, "serving"), True),
        (("extra",), 1),
    ],
)
def test_a_malformed_field_is_refused(path: tuple[str | int, ...], value: object) -> None:
    document = to_document(upgrade(site()))
    place: object = document
    for part in path[:-1]:
        place = place[part]  # type: ignore[index]
    place[path[-1]] = value  # type: ignore[index]
    with pytest.raises(RuleRefused) as caught:
        load(json.dumps(document))
    assert caught.value.rule == "PLAN-FORMAT-01"


def test_a_plan_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RackrollError, match="cannot read the plan: No such file") as caught:
        read_plan(tmp_path / "none.json")
    assert caught.value.exit_code == 1


def test_volatile_facts_do_not_make_a_plan_stale_and_real_ones_do() -> None:
    small = site()
    found = observe(running(small)[1])
    plan = plan_upgrade(asked(small, found, roles(small), ("istio", "1.31.1")))
    renamed = tuple(replace(proxy, pod=f"{proxy.pod}-again") for proxy in found.proxies)
    revised = tuple(replace(chart, revision=chart.revision + 7) for chart in found.charts)
    same = replace(found, proxies=renamed, charts=revised)
    assert (
        plan_upgrade(asked(small, same, roles(small), ("istio", "1.31.1"))).observed_digest
        == plan.observed_digest
    )
    moved = replace(found, proxies=(replace(found.proxies[0], version="1.30.4"), *found.proxies[1:]))
    other = plan_upgrade(asked(small, moved, roles(small), ("istio", "1.31.1")))
    assert other.observed_digest != plan.observed_digest


def test_an_agent_that_only_changed_its_node_does_not_make_a_plan_stale_and_another_version_does() -> None:
    small = site()
    found = observe(running(small)[1])
    digest = observed_digest(small, found)
    where = next(i for i, agent in enumerate(found.agents) if agent.component == "istiod")
    moved = [*found.agents]
    moved[where] = replace(moved[where], node="r2n3")
    assert observed_digest(small, replace(found, agents=tuple(moved))) == digest
    moved[where] = replace(moved[where], version="1.30.4")
    assert observed_digest(small, replace(found, agents=tuple(moved))) != digest


def test_every_effect_has_one_line_for_people() -> None:
    for plan in (upgrade(site()), _bringup(site())):
        for _, _, _, step in plan.numbered():
            assert title(step.effect)
            assert "\n" not in title(step.effect)


def _bringup(small: Site) -> Plan:
    live = world(FakeRack(small))
    return plan_bringup(asked(small, observe(live), live.roles))


def _lab(runs: str = "1.30.3", metallb: str = "0.16.1", options: Options | None = None) -> Request:
    lab = load_site(ROOT / "inventory" / "lab")
    lab = replace(lab, metallb=replace(lab.metallb, version=metallb))
    return asked(lab, observe(running(lab, runs)[1]), roles(lab), options=options)


def _lab_upgrade() -> Plan:
    return plan_upgrade(replace(_lab(), targets=(("istio", "1.31.1"),)))


def _lab_metallb() -> Plan:
    return plan_upgrade(replace(_lab(metallb="0.15.2"), targets=(("metallb", "0.16.1"),)))


def _lab_maintain() -> Plan:
    limited = _lab(options=Options(limit="rack:r2"))
    return plan_maintain(limited, ("apt-get", "-y", "dist-upgrade"), "kernel patches")


@pytest.mark.parametrize(
    ("name", "plan"),
    [
        ("lab-bringup.txt", lambda: _bringup(load_site(ROOT / "inventory" / "lab"))),
        ("lab-upgrade-istio.txt", _lab_upgrade),
        ("lab-upgrade-metallb.txt", _lab_metallb),
        ("lab-maintain.txt", _lab_maintain),
        ("lab-rollback-istio.txt", lambda: plan_rollback(_lab("1.31.1"), _lab_upgrade())),
    ],
)
def test_the_labs_plans_read_as_reviewed(name: str, plan: object) -> None:
    """To accept a change on purpose: delete the file, run the test twice, review the difference."""
    assert callable(plan)
    text = re.sub(r"(?m)^Plan [0-9a-f]{12}", "Plan <id>", render_plan(plan()))
    golden = GOLDEN / name
    if not golden.exists():
        golden.write_text(text, encoding="utf-8")
        pytest.fail(f"{name} was missing and has been written: review it")
    assert text == golden.read_text(encoding="utf-8")
