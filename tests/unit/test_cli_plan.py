"""``rackroll plan`` from its words to its exit code, on a rack in memory."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from rollout.cli import world as wiring
from rollout.cli.plan import plan
from rollout.errors import RackrollError
from rollout.planner.codec import read_plan
from rollout.planner.refuse import RuleRefused
from rollout.site.load import load_site
from tests.unit.fake_world import running

LAB = str(Path(__file__).parents[2] / "inventory" / "lab")


@pytest.fixture
def lab(monkeypatch: pytest.MonkeyPatch) -> None:
    live = running(load_site(Path(LAB)))[1]
    monkeypatch.setattr(wiring, "build_world", lambda _: live)


def run(*words: str) -> Result:
    verb, *rest = words
    return CliRunner().invoke(plan, [verb, "-i", LAB, *rest])


def refused(*words: str) -> RackrollError:
    result = run(*words)
    assert isinstance(result.exception, RackrollError), result.output
    return result.exception


@pytest.mark.usefixtures("lab")
def test_an_upgrade_is_shown_and_saved_with_what_was_asked_for(tmp_path: Path) -> None:
    out = tmp_path / "plan.json"
    words = (
        "--to",
        "istio=1.31.1",
        "--limit",
        "rack:r1",
        "--max-fail",
        "1",
        "--detailed-exitcode",
        "--out",
        str(out),
    )
    result = run("upgrade", *words)
    assert result.exit_code == 2, result.output
    assert "  limit: rack:r1\n  stops once 2 nodes have failed\n" in result.output
    assert read_plan(out).options.limit == "rack:r1"


@pytest.mark.usefixtures("lab")
def test_a_reason_for_breaking_the_glass_is_shown_with_its_signature() -> None:
    result = run("upgrade", "--to", "istio=1.31.1", "--break-glass", "a CVE")
    assert "  break glass: a CVE\n  to be signed by 1 person: break-glass\n" in result.output
    assert "give a reason" in run("upgrade", "--to", "istio=1.31.1", "--break-glass", " ").output


@pytest.mark.usefixtures("lab")
def test_several_targets_are_one_plan_and_nothing_to_do_says_so() -> None:
    result = run("upgrade", "--to", "istio=1.30.3", "--to", "metallb=0.16.1", "--detailed-exitcode")
    assert (result.exit_code, "nothing to do" in result.output) == (0, True)


@pytest.mark.usefixtures("lab")
def test_maintenance_takes_its_command_after_two_dashes_flags_and_all() -> None:
    result = run("maintain", "--limit", "r2n3", "--purpose", "patch day", "--", "apt-get", "-y", "upgrade")
    assert "patch day on r2n3: apt-get -y upgrade" in result.output
    assert "r1n1" not in result.output.split("Proof:")[0]
    assert run("maintain").exit_code == 2


@pytest.mark.usefixtures("lab")
def test_a_reboot_needs_no_command_and_may_follow_one() -> None:
    alone = run("maintain", "--limit", "r2n3", "--reboot")
    assert (alone.exit_code, "reboot r2n3, see it in another boot" in alone.output) == (0, True)
    both = run(
        "maintain", "--limit", "r2n3", "--reboot", "--purpose", "new kernel", "--", "dnf", "-y", "update"
    )
    assert both.output.index("new kernel on r2n3: dnf -y update") < both.output.index("reboot r2n3")


@pytest.mark.usefixtures("lab")
def test_the_path_is_words_for_people_and_walks_for_programs() -> None:
    assert (
        run("path", "--to", "istio=1.31.1").output == "istio: 1.30.3 -> 1.31.1\n  1. istio 1.30.3 -> 1.31.1\n"
    )
    found = json.loads(run("path", "--to", "istio=1.31.1", "-o", "json").output)
    assert found["walks"][0][0]["after"] == "1.31.1"


@pytest.mark.usefixtures("lab")
def test_no_path_refuses_what_is_more_than_one_hop_away(monkeypatch: pytest.MonkeyPatch) -> None:
    live = running(load_site(Path(LAB)), "1.29.2")[1]
    monkeypatch.setattr(wiring, "build_world", lambda _: live)
    error = refused("upgrade", "--to", "istio=1.31.1", "--no-path")
    assert isinstance(error, RuleRefused)
    assert error.rule == "ISTIO-JUMP-01"
    assert run("upgrade", "--to", "istio=1.31.1").exit_code == 0


@pytest.mark.parametrize(
    ("words", "rule", "next_"),
    [
        (("upgrade", "--to", "isto=1.31.1"), "PLAN-SUBJECT-01", "did you mean istio"),
        (("upgrade", "--to", "istio=1.31"), "PLAN-VERSION-01", "full version"),
        (("upgrade", "--to", "istio=1.77.1"), "PLAN-VERSION-02", "known line"),
        (("upgrade", "--to", "istio=1.31.1", "--via", "istio=x"), "PLAN-VERSION-01", "full version"),
        (("upgrade", "--to", "istio=1.31.1", "--limit", "rack:r3"), "PLAN-LIMIT-01", "it has r1, r2"),
        (("maintain", "--limit", "!all", "--", "true"), "PLAN-LIMIT-01", "take a term away"),
        (("maintain", "--", "sudo", "systemctl", "reboot"), "PLAN-COMMAND-02", "give `--reboot`"),
    ],
)
def test_what_is_wrong_by_itself_is_refused_before_anyone_is_asked(
    monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], rule: str, next_: str
) -> None:
    rack, live = running(load_site(Path(LAB)))
    rack.silent |= {"kubernetes", "probe", "tor-r1", "tor-r2"}
    monkeypatch.setattr(wiring, "build_world", lambda _: live)
    error = refused(*words)
    assert isinstance(error, RuleRefused)
    assert (error.rule, error.exit_code) == (rule, 3)
    assert next_ in error.hint
