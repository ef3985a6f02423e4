"""A rotation among clocks of their own: refused while one is wrong, and passing once chrony has put it right.

The mesh gets the drill's namespace first: four pods on four machines that shake hands with each other, all the time.
"""

from __future__ import annotations

import shutil
import time
from typing import Any

import pytest

from rollout.cli.drill.ground import machines as ground
from rollout.cli.drill.site import PAIRS, PEOPLE, DrillSite, people
from rollout.cli.drill.stage import FIRST, DrillStage, await_pairs, start_pairs
from rollout.cli.world import build_world
from rollout.model.mesh import MeshKind
from rollout.site.load import load_site
from tests.vm.conftest import Machines
from tests.vm.machine import Shell
from tests.vm.rackroll import Rackroll

LAST = "r2n2"
MESH = "istio"
REFUSED, HELD = 3, 5


@pytest.fixture(scope="module")
def stage(brought_up: Rackroll) -> DrillStage:
    folder = brought_up.site
    brought_up.edit_mesh(_claiming_theirs)
    brought_up.apply("plan", "bringup")
    site = load_site(folder)
    made = DrillStage(DrillSite(folder, MeshKind.ISTIO, ground()), site, build_world(site), 0.0, (FIRST,))
    shutil.rmtree(folder / "people", ignore_errors=True)  # an earlier session's
    people(made.drill)
    start_pairs(made)
    await_pairs(made)
    return made


def _claiming_theirs(mesh: dict[str, Any]) -> dict[str, Any]:
    return mesh | {"namespaces": [*dict.fromkeys([*mesh["namespaces"], PAIRS])]}


def signed_plan(rackroll: Rackroll, drill: DrillSite) -> str:
    """A root is taken out in the end: two people sign."""
    file = str(rackroll.site / "rotate.json")
    rackroll.run("plan", "rotate", "--mesh", MESH, "--out", file)
    for name, key in zip(PEOPLE, drill.keys, strict=True):
        rackroll.run("approve", file, "--as", name, "--key", str(key))
    return file


def generations(rackroll: Rackroll) -> list[int]:
    (mesh,) = rackroll.json("pki", "show")["meshes"]
    return [generation["number"] for generation in mesh["generations"]]


def step_back(shell: Shell) -> None:
    shell.run("date --set '-10 minutes'")


def test_under_a_wrong_clock_a_rotation_is_not_even_planned(
    stage: DrillStage, brought_up: Rackroll, machines: Machines
) -> None:
    """A pod that is renewed there takes no leaf that is younger than its clock: the census sees what it refuses."""
    shell = machines.shell(LAST)
    step_back(shell)
    try:
        code, said = brought_up.code("plan", "rotate", "--mesh", MESH)
    finally:
        shell.set_clock_right()
    assert code == REFUSED, said
    assert "PLAN-TRUST-02" in said
    assert LAST in said
    await_pairs(stage)


def test_a_planned_one_is_held_by_the_wrong_clock_and_passes_once_chrony_stepped_it(
    stage: DrillStage, brought_up: Rackroll, machines: Machines
) -> None:
    """Planned under right clocks, so that it is the run that has to notice; the held run is then gone on with."""
    shell, plan = machines.shell(LAST), signed_plan(brought_up, stage.drill)
    step_back(shell)
    try:
        code, said = brought_up.code("apply", plan, "--yes")
    finally:
        shell.set_clock_right()
    assert code == HELD, said
    assert "PKI-CLOCK" in said or "CLOCK-OFFSET" in said
    assert LAST in said
    assert generations(brought_up) == [1], "nothing is minted under a wrong clock"

    await_pairs(stage)
    began = time.time()
    brought_up.run("resume")
    found = stage.handshakes(began, time.time())
    assert (found.failed, found.tried > 100) == (0, True)
    census = brought_up.json("pki", "census", "--mesh", MESH)
    assert set(census["leaves"]) == {"g2/issuer-1"}
    assert census["published"] == ["g2"]
