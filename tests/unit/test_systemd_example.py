"""The quarterly timer that the project shows: systemd reads it as meant, and the command in it exists."""

from __future__ import annotations

import configparser
import shutil
import subprocess
from pathlib import Path

import click
import pytest

from rollout.cli.drill.command import MESHES, drill

FOLDER = Path(__file__).resolve().parents[2] / "scripts" / "systemd"
UNITS = ("rackroll-drill@.service", "rackroll-drill@.timer")
needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze here")


def unit(name: str) -> configparser.ConfigParser:
    read = configparser.ConfigParser(interpolation=None, strict=False)
    read.optionxform = str  # type: ignore[assignment,method-assign]
    read.read(FOLDER / name)
    return read


def test_the_command_of_the_service_is_one_that_the_program_has() -> None:
    words = unit(UNITS[0])["Service"]["ExecStart"].split()
    program, *arguments = words
    assert program.endswith("/.venv/bin/rackroll")
    assert arguments[:2] == ["drill", "rotate"]
    rotate = drill.commands["rotate"]
    for mesh in MESHES:
        given = [word.replace("%i", mesh) for word in arguments[2:]]
        assert rotate.make_context("rotate", given).params["lab"] == "vm"
    with pytest.raises(click.BadParameter):
        rotate.make_context("rotate", ["--lab", "vn", "--mesh", "istio"])


@needs_systemd
def test_the_timer_fires_four_times_a_year() -> None:
    calendar = unit(UNITS[1])["Timer"]["OnCalendar"]
    said = subprocess.run(
        ["systemd-analyze", "calendar", "--iterations=5", "--base-time=2026-11-28", calendar],
        capture_output=True,
        text=True,
        check=True,
        env={"TZ": "UTC", "PATH": "/usr/bin:/bin", "LC_ALL": "C"},
    ).stdout
    days = [word for word in said.split() if word.count("-") == 2 and word[0] == "2"]
    assert days == ["2027-01-01", "2027-04-01", "2027-07-01", "2027-10-01", "2028-01-01"]


@needs_systemd
def test_systemd_finds_nothing_wrong_with_the_units(tmp_path: Path) -> None:
    """The program's folder is an example, so a program that is always there stands for it."""
    for name in UNITS:
        text = (FOLDER / name).read_text().replace("/opt/rackroll/.venv/bin/rackroll", "/bin/true")
        (tmp_path / name.replace("@", "@istio")).write_text(text.replace("/opt/rackroll", "/"))
    done = subprocess.run(
        ["systemd-analyze", "verify", *map(str, sorted(tmp_path.iterdir()))],
        capture_output=True,
        text=True,
        check=False,
    )
    ours = [line for line in done.stderr.splitlines() if "rackroll-drill" in line]
    assert (done.returncode, ours) == (0, [])
