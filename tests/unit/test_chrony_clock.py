"""The clock: what is written, how chronyd's answer is read, and when an offset is an error."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from roles.chrony.clock import Tracking, checked, parse_tracking, render, verdict
from roles.chrony.deploy import _wait_script
from roles.chrony.facts import ChronyFacts
from rollout.errors import SiteInvalid
from rollout.model.site import ClockProfile

PROFILE = ClockProfile(("10.255.0.5",), timedelta(seconds=1), 3, timedelta(milliseconds=50))

# As printed by chronyd 4.3.
GOOD = (
    "7F000001,127.0.0.1,4,1795412048.007650059,-0.000001449,0.000001464,0.000001464,"
    "-0.158,-0.000,591.813,0.000006981,0.000331733,0.0,Normal"
)
SKEWED = (
    "7F000001,127.0.0.1,4,1795412051.566249534,0.249998763,0.000000436,0.000000436,"
    "-0.538,-0.000,516.012,0.000007028,0.000240482,0.1,Normal"
)
LOST = (
    "00000000,,0,0.000000000,0.000000000,0.000000000,0.000000000,"
    "0.000,0.000,0.000,1.000000000,1.000000000,0.0,Not synchronised"
)


def test_a_synchronised_clock_within_bounds_has_nothing_wrong() -> None:
    assert verdict(parse_tracking(GOOD), PROFILE) is None


def test_a_skewed_clock_is_named_with_offset_and_source() -> None:
    wrong = verdict(parse_tracking(SKEWED), PROFILE)
    assert wrong == "249.999 ms away from 127.0.0.1, at most 50.000 ms allowed"


def test_an_offset_of_zero_before_synchronising_is_not_believed() -> None:
    assert verdict(parse_tracking(LOST), PROFILE) == "not synchronised with any of 10.255.0.5"


@pytest.mark.parametrize(
    "line", ["", "506 Cannot talk to daemon", GOOD.replace("-0.000001449", "soon"), "a,b"]
)
def test_an_answer_that_is_not_understood_is_no_answer(line: str) -> None:
    assert verdict(parse_tracking(line), PROFILE) == "chronyd does not answer"


def test_a_negative_offset_counts_as_much_as_a_positive_one() -> None:
    late = parse_tracking(SKEWED.replace("0.249998763", "-0.249998763"))
    assert late is not None
    assert late.offset == timedelta(seconds=0.249998763)


def test_the_last_measured_step_counts_when_it_is_worse() -> None:
    stepped = parse_tracking(GOOD.replace(",0.000001464,0.000001464", ",0.075000000,0.000001464"))
    assert verdict(stepped, PROFILE) == "75.000 ms away from 127.0.0.1, at most 50.000 ms allowed"


def test_an_offset_at_the_bound_is_allowed_and_just_above_is_not() -> None:
    assert verdict(Tracking("s", timedelta(milliseconds=50)), PROFILE) is None
    assert verdict(Tracking("s", timedelta(milliseconds=50.001)), PROFILE) is not None


def test_only_the_sites_servers_are_in_the_file() -> None:
    lines = render(replace(PROFILE, servers=("10.0.0.1", "time.example"))).splitlines()
    sources = [line for line in lines if line.split(" ")[0] in ("server", "pool", "peer", "sourcedir")]
    assert [line.split(" ")[1] for line in sources] == ["10.0.0.1", "time.example"]
    assert "makestep 1 3" in lines


def test_only_private_servers_are_asked_every_second() -> None:
    lines = render(replace(PROFILE, servers=("10.0.0.1", "192.0.32.8", "time.example"))).splitlines()
    assert [line for line in lines if "minpoll 0" in line] == ["server 10.0.0.1 iburst minpoll 0 maxpoll 6"]


@pytest.mark.parametrize("servers", [(), ("",), ("a b",), ("10.0.0.1\nallow all",)])
def test_servers_that_would_spoil_the_file_are_refused(servers: tuple[str, ...]) -> None:
    with pytest.raises(SiteInvalid):
        checked(replace(PROFILE, servers=servers))


def test_the_fact_gives_the_file_back_as_it_is() -> None:
    output = ["installed", f"tracking {GOOD}", *(f"conf {line}" for line in render(PROFILE).splitlines())]
    state = ChronyFacts().process(output)
    assert (state.installed, state.conf) == (True, render(PROFILE))
    assert state.tracking is not None


def asked_until_right(folder: Path, *answers: str, sync: int = 0) -> int:
    """Runs the wait with a chronyc that gives these answers one by one, the last for ever. How often it was asked."""
    program, asked = folder / "chronyc", folder / "asked"
    for number, line in enumerate(answers):
        (folder / f"answer-{number}").write_text(line)
    program.write_text(
        f'#!/bin/sh\n[ "$1" = waitsync ] && exit {sync}\ncd {folder}\n'
        "n=$(cat asked 2>/dev/null || echo 0); echo $((n+1)) >asked\n"
        f"[ $n -lt {len(answers) - 1} ] || n={len(answers) - 1}\ncat answer-$n\n"
    )
    program.chmod(0o755)
    path = f"{folder}:{os.environ['PATH']}"
    subprocess.run(["sh", "-c", _wait_script(PROFILE)], env={"PATH": path}, check=True, timeout=60)
    return int(asked.read_text()) if asked.exists() else 0


STEPPED = GOOD.replace(",0.000001464,0.000001464", ",600.004151000,111.0")


def test_right_after_a_step_the_next_measurement_is_waited_for(tmp_path: Path) -> None:
    """`waitsync` is content then, for nothing is left to correct; the verdict would still see the step."""
    assert verdict(parse_tracking(STEPPED), PROFILE) is not None
    assert asked_until_right(tmp_path, STEPPED, STEPPED, GOOD) == 3


def test_a_clock_that_is_right_is_asked_once_and_one_without_a_source_not_at_all(tmp_path: Path) -> None:
    assert asked_until_right(tmp_path, GOOD.replace("-0.000001449", "-0.049")) == 1
    (tmp_path / "asked").unlink()
    assert asked_until_right(tmp_path, GOOD, sync=1) == 0


def test_a_clock_that_stays_wrong_is_not_waited_for_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("roles.chrony.deploy.SETTLE_TIMEOUT", timedelta(seconds=0.5))
    late = GOOD.replace("-0.000001449", "-0.250")
    assert asked_until_right(tmp_path, late) == 6
    (tmp_path / "asked").unlink()
    assert asked_until_right(tmp_path, "506 Cannot talk to daemon") == 6
