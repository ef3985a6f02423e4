"""Where upstream's programs are looked for, and that each family is pinned."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from lab.control.tools import FAMILIES, ToolMissing, charts, find, require
from lab.real import needs
from rollout.errors import RackrollError
from rollout.model.mesh import ChartSource, ChartSourceKind
from rollout.site.load import load_site

ROOT = Path(__file__).parents[2]
PINS = ROOT / "tests/tools"


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Nothing on PATH, nothing built."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    return tmp_path


def program(path: Path, says: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho '{says}'\n")
    path.chmod(0o755)
    return path


def built(machine: Path, family: str, version: str, name: str) -> Path:
    return program(machine / "cache/rackroll/tools" / family / version / name, version)


def test_a_program_of_the_right_version_on_path_is_used(machine: Path) -> None:
    there = program(machine / "bin/kube-apiserver", "Kubernetes v1.35.2")
    built(machine, "kube-1.35", "v1.35.8", "kube-apiserver")
    assert find("kube-1.35", "kube-apiserver") == there


def test_one_of_another_minor_is_passed_over(machine: Path) -> None:
    program(machine / "bin/kube-apiserver", "Kubernetes v1.36.1")
    mine = built(machine, "kube-1.35", "v1.35.8", "kube-apiserver")
    assert find("kube-1.35", "kube-apiserver") == mine


def test_kubebuilder_assets_come_before_path(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(machine / "assets"))
    program(machine / "bin/etcd", "etcd Version: 3.6.1")
    assets = program(machine / "assets/etcd", "etcd Version: 3.6.14")
    assert find("etcd", "etcd") == assets


def test_of_several_builds_the_newest_is_used_by_number_and_not_by_letters(machine: Path) -> None:
    for version in ("v1.35.9", "v1.35.10", "v1.35.8"):
        built(machine, "kube-1.35", version, "kube-apiserver")
    assert find("kube-1.35", "kube-apiserver").parent.name == "v1.35.10"


def test_a_program_that_cannot_tell_its_version_is_never_taken_from_path(machine: Path) -> None:
    program(machine / "bin/speaker", "a loudspeaker")
    with pytest.raises(ToolMissing, match="no speaker of metallb"):
        find("metallb", "speaker")


def test_what_is_missing_says_which_command_builds_it() -> None:
    with pytest.raises(ToolMissing) as caught:
        find("etcd", "etcd")
    assert "make tools ARGS=etcd" in caught.value.hint
    with pytest.raises(ToolMissing, match="charts of metallb"):
        charts("metallb")


def test_a_real_lab_names_everything_that_it_lacks_at_once(machine: Path) -> None:
    built(machine, "etcd", "v3.6.14", "etcd")
    with pytest.raises(ToolMissing) as caught:
        require("1.35")
    assert 'make tools ARGS="kube-1.35 metallb"' in caught.value.hint


def test_a_kubernetes_that_cannot_be_built_is_refused_with_those_that_can() -> None:
    with pytest.raises(ToolMissing, match=r"1\.12") as caught:
        require("1.12")
    assert "1.34, 1.35, 1.36" in caught.value.hint


def test_a_real_lab_refuses_the_stand_in_of_metallbs_chart_and_names_upstreams(machine: Path) -> None:
    for family in ("kube-1.35", "etcd", "metallb"):
        for item in FAMILIES[family].programs:
            built(machine, family, "v1.0.0", item.name)
    upstream = machine / "cache/rackroll/tools/metallb/v1.0.0/charts"
    upstream.mkdir()
    lab = load_site(ROOT / "inventory/lab")
    with pytest.raises(RackrollError, match="stand-in") as caught:
        needs.require(lab)
    assert str(upstream) in caught.value.hint
    own = replace(lab.metallb, charts=ChartSource(ChartSourceKind.PATH, str(upstream)))
    needs.require(replace(lab, metallb=own))


@pytest.mark.parametrize("name", sorted(FAMILIES))
def test_every_family_is_pinned_to_one_version_with_its_sums(name: str) -> None:
    family = FAMILIES[name]
    pinned = (PINS / name / "go.mod").read_text()
    assert f"\nrequire {family.module} v" in pinned
    assert all(package.package in pinned for package in family.programs)
    assert family.module in (PINS / name / "go.sum").read_text()


def test_no_pin_is_left_of_a_family_that_is_gone() -> None:
    assert {path.name for path in PINS.iterdir() if path.is_dir()} == FAMILIES.keys()


def test_make_tools_refuses_a_family_that_it_does_not_know() -> None:
    words = [sys.executable, str(ROOT / "scripts/get-tools.py"), "kubernetes"]
    done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 1
    assert "no such family: kubernetes" in done.stderr
    assert "kube-1.35" in done.stderr
    assert "Traceback" not in done.stderr
