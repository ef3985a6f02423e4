"""Maintenance and the way back: no version moved, and versions moved the other way round."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rollout.engine.observe import observe
from rollout.model.plan import Options, Plan, PlanKind
from rollout.planner.bringup import plan_bringup
from rollout.planner.maintain import plan_maintain
from rollout.planner.refuse import RuleRefused
from rollout.planner.request import asked
from rollout.planner.rollback import plan_rollback
from rollout.planner.upgrade import plan_upgrade
from tests.unit.fake_world import roles, running
from tests.unit.planner_cases import kinds, request, seconds, steps, waves_of, with_waves
from tests.unit.sites import site

NEXT = ("istio", "1.31.1")
PATCH = ("apt-get", "-y", "upgrade")


def upgraded(**waves: object) -> Plan:
    return plan_upgrade(request(with_waves(site(), **waves), NEXT))


def test_a_maintained_node_is_emptied_given_the_command_and_brought_back() -> None:
    plan = plan_maintain(request(site(), options=Options(limit="rack:r2")), PATCH, "patch day")
    assert kinds(plan, "r2n1") == [
        "DrainGateways",
        "Withdraw",
        "AwaitWithdrawn",
        "Cordon",
        "EvictAll",
        "RunCommand",
        "RestoreGateways",
        "AwaitNodeReady",
        "Uncordon",
        "Advertise",
        "AwaitAdvertised",
        "ProbeVips",
        "Soak",
    ]
    assert kinds(plan, "r2n3") == ["Cordon", "EvictAll", "RunCommand", "AwaitNodeReady", "Uncordon"]
    assert (plan.kind, plan.targets, kinds(plan, "r1n1")) == (PlanKind.MAINTAIN, (), [])


def test_maintenance_without_a_limit_is_every_node_and_moves_no_version() -> None:
    plan = plan_maintain(request(site()), PATCH)
    assert {step.node for step in steps(plan) if step.node} == {n.name for n in site().nodes}
    assert len(plan.proof.configurations) == 1


@pytest.mark.parametrize("argv", [(), ("",), (" ",)])
def test_maintenance_without_a_command_is_refused(argv: tuple[str, ...]) -> None:
    with pytest.raises(RuleRefused, match="PLAN-COMMAND-01"):
        plan_maintain(request(site()), argv)


def test_the_way_back_moves_the_data_plane_before_the_control_plane() -> None:
    plan = plan_rollback(request(site(), runs="1.31.1"), upgraded())
    keys = [step.key for step in steps(plan)]
    assert keys.index("istio/hold/chart/istiod") < keys.index("istio/r1n1/drain")
    assert max(i for i, key in enumerate(keys) if key.endswith("/evict")) < keys.index("istio/chart/istiod")
    assert [(t.subject, t.before, t.after) for t in plan.targets] == [("istio", "1.31.1", "1.30.3")]


def test_the_way_back_is_faster_and_as_careful_with_gateways() -> None:
    forward = upgraded(wave_soak=seconds(600))
    back = plan_rollback(request(with_waves(site(), wave_soak=seconds(600)), runs="1.31.1"), forward)
    assert not [name for name in waves_of(back) if "canary" in name]
    soaks = [step.effect for step in steps(back) if type(step.effect).__name__ == "Soak"]
    assert {getattr(soak, "duration", None) for soak in soaks} == {site().pacing.soak / 2}
    drains = [step for step in steps(back) if type(step.effect).__name__ == "DrainGateways"]
    assert all("GW-N1-WITHOUT" in step.gates for step in drains)


def test_only_what_the_run_reached_is_taken_back() -> None:
    small = site()
    rack, live = running(small, "1.31.1")
    for pod in rack.pods.values():
        if not pod.node.startswith("r1"):
            pod.version = "1.30.3"
    plan = plan_rollback(asked(small, observe(live), roles(small)), upgraded())
    assert {step.node for step in steps(plan) if step.node} == {"r1n1", "r1n2", "r1n3"}


def test_a_gateway_that_does_not_serve_is_taken_back_first() -> None:
    small = site()
    rack, live = running(small, "1.31.1")
    rack.rib["ingress-1", "r2n2"] = False
    plan = plan_rollback(asked(small, observe(live), roles(small)), upgraded())
    walk = [
        name
        for name in waves_of(plan)
        if "r" in name and name not in {"before", "after"} and "plane" not in name
    ]
    assert walk[0] == "node r2n2, which does not serve"


def test_two_gateways_that_do_not_serve_are_too_many_even_for_a_rollback() -> None:
    small = site()
    rack, live = running(small, "1.31.1")
    rack.rib["ingress-1", "r2n2"] = rack.rib["ingress-1", "r1n2"] = False
    with pytest.raises(RuleRefused, match="PLAN-N1-02"):
        plan_rollback(asked(small, observe(live), roles(small)), upgraded())


def test_what_upstream_never_takes_back_is_refused_with_its_own_rule() -> None:
    small = site(metallb="0.15.2")
    forward = plan_upgrade(asked(small, observe(running(small)[1]), roles(small), ("metallb", "0.16.1")))
    now = observe(running(site(metallb="0.16.1"))[1])
    with pytest.raises(RuleRefused) as caught:
        plan_rollback(asked(small, now, roles(small)), forward)
    assert caught.value.rule == "METALLB-JUMP-01"
    assert "does not support going down" in str(caught.value)


def test_a_plan_that_moved_no_version_has_no_way_back() -> None:
    asked_for = request(site())
    with pytest.raises(RuleRefused, match=r"PLAN-ROLLBACK-01: plan .* moves no version"):
        plan_rollback(asked_for, plan_maintain(asked_for, PATCH))


def test_a_bringup_has_no_earlier_version_to_go_back_to() -> None:
    asked_for = request(site())
    greenfield = replace(asked_for.observed, charts=(), proxies=(), agents=(), rib=())
    made = plan_bringup(replace(asked_for, observed=greenfield))
    with pytest.raises(RuleRefused, match="PLAN-ROLLBACK-01: istio was not installed"):
        plan_rollback(asked_for, made)


def test_several_subjects_go_back_in_the_other_order() -> None:
    first = upgraded()
    still = replace(first.targets[0], subject="metallb", before="0.16.1", after="0.16.1")
    plan = plan_rollback(request(site(), runs="1.31.1"), replace(first, targets=(*first.targets, still)))
    assert [target.subject for target in plan.targets] == ["metallb", "istio"]


def test_a_reboot_comes_after_the_command_and_before_anything_comes_back() -> None:
    plan = plan_maintain(request(site(), options=Options(limit="rack:r2")), PATCH, reboot=True)
    gateway = kinds(plan, "r2n1")
    first = gateway.index("EvictAll")
    assert gateway[first : first + 5] == ["EvictAll", "RunCommand", "NoteBoot", "Reboot", "RestoreGateways"]
    worker = ["Cordon", "EvictAll", "RunCommand", "NoteBoot", "Reboot", "AwaitNodeReady", "Uncordon"]
    assert kinds(plan, "r2n3") == worker


def test_a_reboot_is_gated_as_a_command_is_and_asks_the_clock_before_anything_comes_back() -> None:
    found = {step.key: step.gates for step in steps(plan_maintain(request(site()), PATCH, reboot=True))}
    assert found["maintenance/r1n1/reboot"] == found["maintenance/r1n1/command"]
    assert found["maintenance/r1n1/restore"] == found["maintenance/r1n3/await-ready"] == ("CLOCK-OFFSET",)
    assert found["maintenance/r1n1/await-ready"] == ()
    plain = {step.key: step.gates for step in steps(plan_maintain(request(site()), PATCH))}
    assert plain["maintenance/r1n1/restore"] == ()


def test_a_reboot_needs_no_command_and_says_how_long_it_waits() -> None:
    plan = plan_maintain(request(site()), (), reboot=True)
    assert "RunCommand" not in kinds(plan)
    assert any("pacing.stepTimeout" in warning for warning in plan.warnings)


@pytest.mark.parametrize(
    "line",
    [
        "reboot",
        "reboot -f",
        "/sbin/reboot",
        "systemctl reboot",
        "systemctl --no-block reboot",
        "/usr/bin/systemctl kexec",
        "systemctl soft-reboot",
        "shutdown -r now",
        "shutdown -hr +5",
        "shutdown --reboot 22:00",
        "init 6",
        "telinit 6",
        "sudo reboot",
        "sudo -n -u root /usr/sbin/shutdown -r now",
        "/usr/bin/sudo SYSTEMD_LOG_LEVEL=debug systemctl reboot",
    ],
)
@pytest.mark.parametrize("reboot", [True, False])
def test_a_command_that_obviously_reboots_is_refused(line: str, reboot: bool) -> None:
    with pytest.raises(RuleRefused, match="PLAN-COMMAND-02") as caught:
        plan_maintain(request(site()), tuple(line.split()), reboot=reboot)
    assert "give `--reboot`" in str(caught.value)


@pytest.mark.parametrize(
    "argv",
    [
        ("systemctl", "restart", "reboot"),
        ("systemctl", "daemon-reexec"),
        ("shutdown", "-c"),
        ("shutdown", "--no-wall"),
        ("init", "5"),
        ("sh", "-c", "systemctl reboot"),
        ("sudo", "-u", "reboot", "true"),
        ("needs-restarting", "-r"),
        ("grep", "reboot", "/etc/motd"),
        ("sudo",),
    ],
)
def test_what_a_command_does_is_not_guessed(argv: tuple[str, ...]) -> None:
    assert "RunCommand" in kinds(plan_maintain(request(site()), argv))
