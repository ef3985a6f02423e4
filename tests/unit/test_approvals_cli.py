"""``rackroll approve``: who signed, who is missing, and what will not be signed."""

from __future__ import annotations

import json
from dataclasses import MISSING, fields, is_dataclass, replace
from pathlib import Path
from typing import Any, get_type_hints

import pytest

from lab.sitecopy import copy_site
from rollout.model.plan import Plan
from rollout.model.proof import Proof
from rollout.planner.codec import content_id, dump
from rollout.site.digest import site_digest
from rollout.site.load import load_site
from tests.unit.signing_desk import Desk, plan
from tests.unit.test_cli import ROOT, rackroll


@pytest.fixture
def saved(tmp_path: Path) -> tuple[Path, Path, Plan]:
    """A lab that was never built, with a policy, and a plan for it in a file."""
    folder = copy_site(ROOT / "inventory" / "lab", tmp_path / "lab", name="copy", loopback="127.87.")
    file = folder / "site.yaml"
    file.write_text(file.read_text() + "\npolicy: {approvals: [{for: upgrade, people: 2}]}\n")
    blank = replace(plan(), site="copy", site_digest=site_digest(load_site(folder)), proof=empty(Proof))
    made = replace(blank, id=content_id(blank))
    path = tmp_path / "plan.json"
    path.write_text(dump(made))
    return folder, path, made


def empty(kind: type[Any]) -> Any:
    """A value of a dataclass with nothing in it; what is in a proof is no matter of signatures."""
    hints = get_type_hints(kind)
    needed = [f.name for f in fields(kind) if f.default is MISSING and f.default_factory is MISSING]
    blank = {name: empty(hints[name]) if is_dataclass(hints[name]) else () for name in needed}
    return kind(**blank | {name: "" for name in needed if hints[name] is str})


def test_approve_signs_and_says_who_is_missing(saved: tuple[Path, Path, Plan], tmp_path: Path) -> None:
    folder, path, made = saved
    desk = Desk(load_site(folder), tmp_path)
    key = desk.key("a")
    desk.allow("alice@example", key)
    done = rackroll("approve", str(path), "--as", "alice@example", "--key", str(key), "-i", str(folder))
    assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr
    assert "signed by alice@example, 1 missing" in done.stdout
    assert f"signing plan {made.id[:12]}: upgrade of copy" in done.stderr
    shown = rackroll("approve", str(path), "-i", str(folder), "-o", "json")
    assert json.loads(shown.stdout) == {
        "plan": made.id,
        "needed": 2,
        "purposes": ["upgrade"],
        "people": [["alice@example"]],
        "missing": 1,
        "rejected": [],
    }


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--as", "alice@example"), 1, "--as and --key go together"),
        (("--as", "alice@example", "--key", "nowhere"), 1, "there is no key nowhere"),
        (("--as", "a b", "--key", "nowhere"), 1, "cannot be a signer's name"),
    ],
)
def test_approving_the_wrong_way_says_what_and_what_next(
    saved: tuple[Path, Path, Plan], words: tuple[str, ...], code: int, said: str
) -> None:
    folder, path, _ = saved
    done = rackroll("approve", str(path), "-i", str(folder), *words)
    assert (done.returncode, done.stdout) == (code, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_an_edited_plan_and_another_site_are_not_signed(
    saved: tuple[Path, Path, Plan], tmp_path: Path
) -> None:
    folder, path, _ = saved
    done = rackroll("approve", str(path), "-i", "inventory/lab")
    assert done.returncode == 3
    assert "PLAN-SITE-01" in done.stderr
    edited = tmp_path / "edited.json"
    edited.write_text(path.read_text().replace('"upgrade"', '"bringup"', 1))
    done = rackroll("approve", str(edited), "-i", str(folder))
    assert done.returncode == 3
    assert "PLAN-EDITED-01" in done.stderr
