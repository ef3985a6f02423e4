"""The Vagrantfile as Vagrant itself judges it: offline, with libvirt's own mock driver, and no machine made.

VirtualBox is not in Debian: a stand-in that only tells a version lets Vagrant read that provider's block, no more.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

VAGRANT = Path(__file__).resolve().parents[2] / "vagrant"
PLUGIN = Path("/usr/share/rubygems-integration/all/gems")


@pytest.fixture(autouse=True)
def vagrant() -> None:
    """CI installs Vagrant and its provider, and a run without them is an error there; elsewhere it is skipped aloud."""
    if shutil.which("vagrant") and list(PLUGIN.glob("vagrant-libvirt-*")):
        return
    missing = "no vagrant with vagrant-libvirt here: scripts/os-packages vagrant vagrant-libvirt"
    if os.environ.get("CI") == "true":
        pytest.fail(missing)
    pytest.skip(missing)


def validate(folder: Path, state: Path, provider: str, **more: str) -> tuple[int, str]:
    state.mkdir(exist_ok=True)
    env = {
        "PATH": f"{state}:{os.environ['PATH']}",
        "HOME": str(state),
        "VAGRANT_HOME": str(state / "home"),
        "VAGRANT_DOTFILE_PATH": str(state / "dot"),
        "VAGRANT_CWD": str(folder),
        "VAGRANT_CHECKPOINT_DISABLE": "1",
        "VAGRANT_DEFAULT_PROVIDER": provider,
        "LIBVIRT_DEFAULT_URI": "test:///default",
        **more,
    }
    done = subprocess.run(
        ["vagrant", "validate"], env=env, capture_output=True, text=True, timeout=200, check=False
    )
    return done.returncode, done.stdout + done.stderr


def stand_in(state: Path) -> None:
    state.mkdir(exist_ok=True)
    program = state / "VBoxManage"
    program.write_text("#!/bin/sh\necho 7.0.20r163906\n")
    program.chmod(0o755)


def test_vagrant_accepts_it_for_libvirt_without_a_libvirtd(tmp_path: Path) -> None:
    code, said = validate(VAGRANT, tmp_path / "state", "libvirt")
    assert code == 0, said


def test_vagrant_accepts_it_for_libvirt_with_a_public_box(tmp_path: Path) -> None:
    code, said = validate(VAGRANT, tmp_path / "state", "libvirt", LAB_BOX="debian/bookworm64")
    assert code == 0, said


def test_vagrant_accepts_it_for_virtualbox(tmp_path: Path) -> None:
    stand_in(tmp_path / "state")
    code, said = validate(VAGRANT, tmp_path / "state", "virtualbox")
    assert code == 0, said


@pytest.mark.parametrize(
    ("provider", "setting", "nonsense"),
    [
        ("libvirt", "l.graphics_type = 'none'", "l.graphicz_type = 'none'"),
        ("virtualbox", "v.gui = false", "v.guy = false"),
    ],
)
def test_a_setting_that_the_provider_does_not_know_is_refused(
    tmp_path: Path, provider: str, setting: str, nonsense: str
) -> None:
    folder = tmp_path / "vagrant"
    shutil.copytree(VAGRANT, folder)
    file = folder / "Vagrantfile"
    text = file.read_text()
    assert setting in text
    file.write_text(text.replace(setting, nonsense))
    stand_in(tmp_path / "state")
    code, said = validate(folder, tmp_path / "state", provider)
    assert code != 0, said
