"""``rackroll check`` as a script sees it: exit codes, documents, and wrong input."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lab.sitecopy import copy_site
from rollout.checks.catalogue import catalogue
from tests.unit.test_cli import ROOT, rackroll


@pytest.fixture
def nobody_home(tmp_path: Path) -> Path:
    """A lab that was never built: nothing of it answers."""
    return copy_site(ROOT / "inventory" / "lab", tmp_path / "site", name="copy", loopback="127.87.")


def test_the_list_names_every_check_and_what_it_asks() -> None:
    done = rackroll("check", "--list")
    assert done.returncode == 0
    assert [line.split()[0] for line in done.stdout.splitlines()] == list(catalogue())
    assert all("?" in line for line in done.stdout.splitlines()), "each says what it asks"


def test_what_is_open_is_exit_0(nobody_home: Path) -> None:
    done = rackroll("check", "window-open", "ALERTS-QUIET", "-i", str(nobody_home))
    assert (done.returncode, done.stderr) == (0, "")
    assert "✓ WINDOW-OPEN" in done.stdout
    assert "copy: 2 open, 0 closed, 0 inconclusive" in done.stdout


def test_what_is_closed_is_exit_2_with_the_next_thing_to_do(nobody_home: Path) -> None:
    file = nobody_home / "site.yaml"
    freeze = "\npolicy:\n  freezes: [{from: 2000-01-01T00:00Z, until: 2190-01-01T00:00Z, reason: always}]\n"
    file.write_text(file.read_text() + freeze)
    done = rackroll("check", "WINDOW-OPEN", "-i", str(nobody_home), "-o", "json")
    assert done.returncode == 2
    (finding,) = json.loads(done.stdout)["findings"]
    assert (finding["check"], finding["verdict"]) == ("WINDOW-OPEN", "closed")
    assert "frozen (always)" in finding["detail"]
    assert "docs/checks.md#window-open" in finding["hint"]


def test_a_site_that_does_not_answer_is_exit_4_and_every_silence_is_named(nobody_home: Path) -> None:
    done = rackroll("check", "-i", str(nobody_home), "--node", "r1n1", "-o", "yaml")
    assert (done.returncode, done.stderr) == (4, "")
    assert "closed: 0" in done.stdout
    assert "GW-ROUTE-GONE" not in done.stdout, "it has no meaning outside a move"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("WINDOW-OPN",), "did you mean WINDOW-OPEN?"),
        (("GW-N1-NOW", "--node", "r1n"), "did you mean r1n"),
        (("--plan", "none.json"), "cannot read the plan"),
    ],
)
def test_wrong_input_names_what_was_meant(words: tuple[str, ...], said: str, nobody_home: Path) -> None:
    done = rackroll("check", "-i", str(nobody_home), *words)
    assert (done.returncode, done.stdout) == (1, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr
