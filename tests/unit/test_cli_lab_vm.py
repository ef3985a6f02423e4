"""``rackroll lab --vm``: what is refused before anything is made."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from lab import lifecycle
from lab import preflight as embedded
from lab.vm import preflight
from lab.vm.machines import read_machines
from lab.vm.sitefile import write_site
from lab.vm.state import vm_folder
from rollout.cli.lab import lab
from rollout.errors import RackrollError
from rollout.site.load import load_site


@pytest.fixture
def able(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that has everything, whatever this one has."""
    monkeypatch.setattr(embedded, "check_machine", lambda: None)
    monkeypatch.setattr(preflight, "PROGRAMS", {})
    monkeypatch.setattr(preflight, "DEVICE", Path("/dev/null"))
    monkeypatch.setattr(preflight, "SETTINGS", Path("/etc"))
    monkeypatch.delenv("LAB_BOX", raising=False)


def refusal(*words: str) -> RackrollError:
    outcome = CliRunner().invoke(lab, list(words))
    assert isinstance(outcome.exception, RackrollError), outcome.output
    return outcome.exception


@pytest.mark.parametrize("verb", ["up", "down"])
def test_without_vm_a_site_must_be_named(verb: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RACKROLL_INVENTORY", raising=False)
    assert "-i FOLDER" in str(refusal(verb).hint)


def test_the_machines_have_no_real_kubernetes_and_say_so(tmp_path: Path) -> None:
    assert "do not go together" in refusal("up", "--vm", "--real", "-i", str(tmp_path)).message


def test_every_missing_program_is_named_with_the_one_command_that_brings_them(
    able: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    del able
    monkeypatch.setattr(preflight, "PROGRAMS", {"no-vagrant": "vagrant", "no-virsh": "libvirt-clients"})
    with pytest.raises(RackrollError, match="no-vagrant, no-virsh") as refused:
        preflight.check_machine(tmp_path)
    assert str(refused.value.hint).startswith("scripts/os-packages ")


def test_a_public_box_is_refused_because_the_namespace_has_no_way_out(
    able: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    del able
    preflight.check_machine(tmp_path)
    monkeypatch.setenv("LAB_BOX", "debian/bookworm64")
    with pytest.raises(RackrollError, match="LAB_BOX"):
        preflight.check_machine(tmp_path)


def test_a_folder_below_var_is_refused(able: None) -> None:
    del able
    with pytest.raises(RackrollError, match="below /var"):
        preflight.check_machine(Path("/var/lib/somewhere"))


def test_the_embedded_lab_never_takes_virtual_machines_for_leftovers(able: None, tmp_path: Path) -> None:
    del able
    site = load_site(write_site(read_machines(), tmp_path / "vm"))
    vm_folder(site.folder).mkdir(parents=True)
    with pytest.raises(RackrollError, match="virtual machines"):
        lifecycle.up(site, progress=lambda _: None)
    assert vm_folder(site.folder).exists()
