"""``rackroll verify``: exit codes, both outputs, a site's own rules."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from rollout.cli.main import cli
from rollout.engine.observe import observe
from rollout.errors import PlanRefused
from rollout.planner.codec import dump
from rollout.planner.request import asked
from rollout.planner.upgrade import plan_upgrade
from rollout.verify.document import content_hash
from tests.unit.fake_world import roles, running
from tests.unit.sites import site


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    small = site()
    file = tmp_path / "plan.json"
    file.write_text(
        dump(plan_upgrade(asked(small, observe(running(small)[1]), roles(small), ("istio", "1.31.1"))))
    )
    return file


def verify(*words: str | Path) -> Result:
    return CliRunner().invoke(cli, ["verify", *map(str, words)])


def spoiled(plan: Path) -> None:
    """The first withdraw is left out, and the id made to fit."""
    document = json.loads(plan.read_text())
    for wave in document["waves"]:
        for stage in wave["stages"]:
            stage["steps"] = [s for s in stage["steps"] if not s["key"].endswith("r1n1/withdraw")]
    document["id"] = content_hash(document)
    plan.write_text(json.dumps(document))


def test_a_sound_plan_exits_0_and_says_how_much_was_checked(plan: Path) -> None:
    done = verify(plan)
    assert done.exit_code == 0, done.output
    assert "nothing found against it" in done.output
    assert "17 states" in done.output
    counts = json.loads(verify(plan, "-o", "json").output)
    assert counts["verified"] is True
    assert counts["checked"]["states"] == 17


def test_a_broken_plan_exits_3_with_the_first_counterexample(plan: Path) -> None:
    spoiled(plan)
    done = verify(plan)
    assert done.exit_code == 3
    assert "VERIFY-ORDER-01" in done.output
    assert "step:  istio/r1n1/await-withdrawn" in done.output
    said = json.loads(verify(plan, "-o", "json").output)
    assert (said["verified"], said["rule"]) == (False, "VERIFY-ORDER-01")


def test_an_edited_file_exits_3_and_is_called_edited(plan: Path) -> None:
    plan.write_text(plan.read_text().replace('"GW-ROUTE-GONE"', '"GW-N1-NOW"', 1))
    done = verify(plan)
    assert done.exit_code == 3
    assert "PLAN-EDITED-01" in done.output


def test_what_is_no_text_is_no_plan(tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    file.write_bytes(b"\xff\xfe\x00")
    done = verify(file)
    assert done.exit_code == 1
    assert "cannot read the plan" in str(done.exception)


STRICTER = """
[[support]]
id = "ISTIO-K8S-131"
subject = "istio"
line = "1.31"
kubernetes = ["1.36", "1.37"]
source = "our own tests"
date = 2026-11-01
confidence = "official"
"""


def test_a_sites_own_rule_is_asked_too(plan: Path, tmp_path: Path) -> None:
    """The plan was made without it: what it lists is not what the site has on disk now."""
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "ours.toml").write_text(STRICTER)
    done = verify(plan, "-i", tmp_path)
    assert done.exit_code == 3
    assert "VERIFY-RULES-01" in done.output
    assert "ISTIO-K8S-131" in done.output


def test_a_broken_plan_is_not_applied_even_when_its_id_fits(
    plan: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoiled(plan)
    small = site(folder=tmp_path)
    monkeypatch.setattr("rollout.site.load.load_site", lambda _: small)
    done = CliRunner().invoke(cli, ["apply", str(plan), "-i", str(tmp_path), "--yes"])
    assert isinstance(done.exception, PlanRefused)
    assert "VERIFY-ORDER-01" in str(done.exception)
    assert not (tmp_path / ".rackroll").exists(), "nothing was begun"
