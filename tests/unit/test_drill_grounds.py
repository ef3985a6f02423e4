"""What a drill stands on: namespaces or machines, a fresh lab or the one that an earlier drill has kept."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from rollout.cli.drill.command import FAULTS, MESHES, drill
from rollout.cli.drill.ground import Ground, machines
from rollout.cli.drill.menu import faults
from rollout.cli.drill.site import APPS, drill_site
from rollout.cli.drill.stage import _paced
from rollout.errors import RackrollError
from rollout.model.mesh import MeshKind


def rotate(*words: str) -> Result:
    return CliRunner().invoke(drill, ["rotate", *words])


def test_a_drill_on_machines_says_what_its_figures_are_of() -> None:
    assert "virtual machines" in machines().label
    assert f"{machines().pairs['LAB_RATE']} handshakes a second and pair" in machines().label
    assert "embedded" in Ground().label


@pytest.mark.parametrize("mesh", MESHES)
def test_the_pairs_of_every_mesh_can_be_told_their_pace(mesh: str) -> None:
    documents = [each for each in yaml.safe_load_all((APPS / f"pairs-{mesh}.yaml").read_text()) if each]
    (paced,) = [_paced(each, {"LAB_RATE": "7"}) for each in documents if each["kind"] == "Deployment"]
    for container in paced["spec"]["template"]["spec"]["containers"]:
        assert {"name": "LAB_RATE", "value": "7"} in container["env"]


def test_on_machines_the_faults_are_those_that_need_no_reach_into_the_node_from_outside() -> None:
    known = faults(vm=True)
    assert set(known) == set(FAULTS) - {"dying-signer"}
    assert type(known["skewed-clock"]()) is not type(faults()["skewed-clock"]())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--lab", "vm", "--fault", "dying-signer"), "a virtual machine has no outside"),
        (("--lab", "vm", "--name", "other"), "vagrant/topology.yaml"),
    ],
)
def test_what_machines_cannot_bear_is_refused_before_anything_is_built(
    words: tuple[str, ...], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rollout.cli.drill.command._require_namespaces", lambda: None)
    found = rotate("--mesh", "istio", *words)
    assert found.exit_code != 0
    assert said in str(found.exception)


def test_again_needs_a_lab_that_a_drill_of_this_mesh_has_left(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("rollout.cli.drill.command._require_namespaces", lambda: None)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    found = rotate("--mesh", "istio", "--again", "--name", "nobody")
    assert isinstance(found.exception, RackrollError)
    assert "have left no lab" in found.exception.message
    assert found.exception.hint is not None
    assert "--keep" in found.exception.hint


def test_a_site_that_is_drilled_again_keeps_its_people_and_its_namespaces(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr("rollout.cli.drill.site.clear", lambda _: None)
    ground = Ground("nobody", "127.86.")
    with drill_site(MeshKind.ISTIO, ground, keep=True) as first:
        people = [key.read_bytes() for key in first.keys]
        written = (first.folder / "site.yaml").read_text()
    with drill_site(MeshKind.ISTIO, ground, keep=True, again=True) as second:
        assert [key.read_bytes() for key in second.keys] == people
        assert (second.folder / "site.yaml").read_text() == written
    with (
        pytest.raises(RackrollError, match="a lab of istio"),
        drill_site(MeshKind.LINKERD, ground, again=True),
    ):
        pass
