"""A rotation among clocks of their own: refused while one is wrong, and passing once chrony has put it right."""

from __future__ import annotations

from tests.vm.conftest import Machines
from tests.vm.load import load, lost
from tests.vm.machine import Shell
from tests.vm.rackroll import Rackroll

LAST = "r2n2"
MESH = "istio"
HELD = 5


def generations(rackroll: Rackroll) -> list[int]:
    (mesh,) = rackroll.json("pki", "show")["meshes"]
    return [generation["number"] for generation in mesh["generations"]]


def leaves(rackroll: Rackroll) -> set[str]:
    return {proxy["leaf"] for proxy in rackroll.json("pki", "census", "--mesh", MESH)["proxies"]}


def saved_plan(rackroll: Rackroll, machines: Machines) -> str:
    file = str(machines.site.folder / "rotate.json")
    rackroll.run("plan", "rotate", "--mesh", MESH, "--out", file)
    return file


def step_back(shell: Shell) -> None:
    shell.run("date --set '-10 minutes'")


def test_nothing_is_rotated_while_a_clock_is_ten_minutes_behind_and_all_of_it_once_chrony_stepped_it(
    brought_up: Rackroll, machines: Machines
) -> None:
    """Planned under right clocks, so that it is the run that has to notice; the held run is then gone on with."""
    shell, plan = machines.shell(LAST), saved_plan(brought_up, machines)
    assert leaves(brought_up) == {"g1/issuer-1"}
    with load(machines) as running:
        before = running.latest
        step_back(shell)
        try:
            code, said = brought_up.code("apply", plan, "--yes")
            assert code == HELD, said
            assert "PKI-CLOCK" in said or "CLOCK-OFFSET" in said
            assert LAST in said
            assert generations(brought_up) == [1], "nothing is minted under a wrong clock"
        finally:
            shell.set_clock_right()
        brought_up.run("resume")
        assert lost(before, running.latest) == (0, 0)
    assert leaves(brought_up) == {"g2/issuer-1"}
    assert brought_up.json("pki", "census", "--mesh", MESH)["published"] == ["g2"]


def test_under_a_wrong_clock_a_rotation_is_not_even_planned(brought_up: Rackroll, machines: Machines) -> None:
    shell = machines.shell(LAST)
    step_back(shell)
    try:
        code, said = brought_up.code("plan", "rotate", "--mesh", MESH)
    finally:
        shell.set_clock_right()
    assert code == 3, said
    assert "PLAN-TRUST" in said
    assert LAST in said
