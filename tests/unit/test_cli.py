"""The command line as a script sees it: exit codes, which stream says what, and never a traceback."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from lab.sitecopy import copy_site
from rollout.adapters.ssh import require_credentials
from rollout.cli import main
from rollout.cli.demo.score import Score, Versions
from rollout.cli.demo.scoreboard import render_scoreboard
from rollout.errors import Unreachable
from rollout.site.load import load_site

ROOT = Path(__file__).parents[2]
HEAVY = ("kubernetes", "netmiko", "paramiko", "dbos", "gevent", "pydantic", "yaml", "rich", "aiohttp")


def rackroll(*words: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "rollout.cli.main", *words]
    return subprocess.run(argv, capture_output=True, text=True, cwd=ROOT, timeout=60, check=False)


@pytest.fixture
def lab_copy(tmp_path: Path) -> Path:
    return copy_site(ROOT / "inventory" / "lab", tmp_path / "site", name="copy", loopback="127.87.")


def test_help_loads_nothing_that_only_a_command_needs() -> None:
    code = (
        "import sys\nfrom rollout.cli.main import run\n"
        "try:\n    run(['--help'])\nexcept SystemExit:\n    pass\n"
        f"print([m for m in {HEAVY!r} if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert "Exit codes" in done.stdout
    assert done.stderr.strip() == "[]"


def test_a_good_site_is_a_json_document_on_stdout_and_silence_on_stderr() -> None:
    done = rackroll("site", "check", "-i", "inventory/fra1", "-o", "json")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["nodes"] == 12


def test_a_bad_site_file_is_exit_1_with_file_line_and_field(lab_copy: Path) -> None:
    file = lab_copy / "site.yaml"
    file.write_text(file.read_text().replace("1.30.3", "latest"))
    done = rackroll("plan", "bringup", "-i", str(lab_copy))
    assert (done.returncode, done.stdout) == (1, "")
    assert f"{file}:" in done.stderr
    assert "floating version" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["plan", "bringup"], 1, "Missing option '-i'"),
        (["plan", "upgrade", "-i", "inventory/lab", "--to", "istio"], 1, "expected SUBJECT=VERSION"),
        (["plan", "upgrade", "-i", "inventory/lab", "--to", "istio=latest"], 3, "PLAN-VERSION-01"),
        (["plan", "upgrade", "-i", "inventory/lab", "--to", "envoy=1.39.0"], 3, "PLAN-SUBJECT-01"),
        (["plan", "bringup", "-i", "nowhere"], 1, "name a folder that holds site.yaml"),
        (["apply", "none.json", "-i", "inventory/lab", "--yes"], 1, "cannot read the plan"),
        (["aply"], 1, "No such command"),
    ],
)
def test_wrong_input_says_what_and_what_next(words: list[str], code: int, said: str) -> None:
    done = rackroll(*words)
    assert done.returncode == code, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_a_site_whose_lab_is_not_up_is_unreachable_and_says_how_to_bring_it_up(lab_copy: Path) -> None:
    done = rackroll("plan", "bringup", "-i", str(lab_copy))
    assert done.returncode == 4, done.stderr
    assert "rackroll lab up" in done.stderr


def test_resume_without_a_run_is_refused(lab_copy: Path) -> None:
    done = rackroll("resume", "-i", str(lab_copy))
    assert done.returncode == 3
    assert "no unfinished run" in done.stderr


def test_status_before_the_first_run_names_the_first_command(lab_copy: Path) -> None:
    done = rackroll("status", "-i", str(lab_copy))
    assert done.returncode == 0
    assert "rackroll plan bringup" in done.stdout


def test_a_bug_of_ours_is_two_lines_and_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(**_: object) -> None:
        raise KeyError("rack")

    monkeypatch.setattr(main.cli, "main", broken)
    with pytest.raises(SystemExit) as ended:
        main.run(["status"])
    assert ended.value.code == 1
    assert capsys.readouterr().err.splitlines()[0] == "rackroll: internal error: KeyError: 'rack'"


def test_a_login_without_known_hosts_is_refused_before_any_library_is_asked(lab_copy: Path) -> None:
    access = load_site(lab_copy).switches[0].ssh
    access.key_file.parent.mkdir()
    access.key_file.touch()
    with pytest.raises(Unreachable, match="there is no known_hosts file"):
        require_credentials(access, "tor-r1")


def score() -> Score:
    before, after = Versions("1.30.3", "1.38.3"), Versions("1.31.1", "1.39.3")
    return Score(
        simulated=False,
        sent=100,
        lost=0,
        keepalive_lost=0,
        gateways_total=4,
        gateways_min_in_rib=3,
        naive_sent=90,
        naive_lost=7,
        naive_keepalive_lost=3,
        naive_min_in_rib=0,
        nodes=6,
        hosts_changed=6,
        hosts_unchanged_second_run=6,
        tor_lines_applied=54,
        tor_second_diff_empty=True,
        before=before,
        after=after,
        seconds_lab_up=3.0,
        seconds_bringup=18.0,
        seconds_upgrade=58.0,
    )


@pytest.mark.parametrize(
    ("worse", "said"),
    [
        ({"lost": 1}, "1 fresh requests lost"),
        ({"keepalive_lost": 2}, "2 kept-alive"),
        ({"keepalive_lost": None}, "kept-alive"),
        ({"gateways_min_in_rib": 2}, "only 2 of 4"),
        ({"naive_lost": 0}, "the meter cannot tell"),
        ({"hosts_unchanged_second_run": 5}, "only 5 of 6"),
        ({"tor_second_diff_empty": False}, "not empty"),
    ],
)
def test_the_demo_fails_on_each_promise_that_is_not_kept(worse: dict[str, object], said: str) -> None:
    assert score().broken_promises() == ()
    broken = replace(score(), **worse).broken_promises()  # type: ignore[arg-type]
    assert len(broken) == 1
    assert said in broken[0]


def test_the_demos_document_has_exactly_the_promised_keys() -> None:
    keys = {f"{group}.{key}" for group, values in score().document().items() for key in values}
    assert keys == {
        *("requests.sent", "requests.lost", "requests.keepalive_lost", "gateways.total"),
        *("gateways.min_in_rib", "naive.lost", "naive.min_in_rib", "hosts.changed"),
        *("hosts.unchanged_second_run", "tor.lines_applied", "tor.second_diff_empty"),
        *("versions.before", "versions.after", "seconds.lab_up", "seconds.bringup", "seconds.upgrade"),
    }


def test_a_simulated_score_says_so_first() -> None:
    assert "SIMULATED" not in render_scoreboard(score(), colour=False)
    board = render_scoreboard(replace(score(), simulated=True, keepalive_lost=None), colour=False)
    assert board.startswith("SIMULATED: ")
    assert "not modelled" in board
