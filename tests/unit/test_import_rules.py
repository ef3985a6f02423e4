"""The directions of import that DESIGN.md draws are kept, and the linter that says so can also say no."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("rollout", "roles", "pki", "lab")

PLANTED = {
    "rollout layers": ("rollout/rules/planted.py", "import rollout.planner"),
    "the model is standard library only, and nothing of ours": (
        "rollout/model/planted.py",
        "import pydantic",
    ),
    "the engine knows no role, no adapter, no lab": ("rollout/planner/planted.py", "import roles.istio"),
    "roles use the model, the ports and pki only": ("roles/kernel/planted.py", "import rollout.adapters"),
    "the site file's reader knows the model and nothing that acts": ("rollout/site/planted.py", "import lab"),
    "pki stands alone": ("pki/planted.py", "import rollout.errors"),
    "the verifier shares no code with what it verifies": (
        "rollout/verify/planted.py",
        "import rollout.rules",
    ),
    "only the journal imports dbos": ("roles/tor/planted.py", "import dbos"),
}
"""For each contract, one file with one import that breaks it."""


def verdicts(tree: Path) -> dict[str, str]:
    """KEPT or BROKEN for each contract, as lint-imports says for the packages in this folder."""
    program = Path(sys.executable).parent / "lint-imports"
    done = subprocess.run(
        [str(program), "--no-cache"], cwd=tree, capture_output=True, text=True, check=False, timeout=120
    )
    found = dict(re.findall(r"^(.+) (KEPT|BROKEN)$", done.stdout, re.MULTILINE))
    assert found, done.stdout + done.stderr
    return found


def contracts() -> set[str]:
    config = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return {contract["name"] for contract in config["tool"]["importlinter"]["contracts"]}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the packages and the contracts, to be spoiled."""
    for package in PACKAGES:
        shutil.copytree(
            ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__", "charts")
        )
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_every_import_goes_the_way_the_design_says(tree: Path) -> None:
    assert verdicts(tree) == dict.fromkeys(contracts(), "KEPT")


def test_each_contract_notices_an_import_against_it(tree: Path) -> None:
    """Negative control: one planted import per contract, and each contract breaks."""
    assert PLANTED.keys() == contracts(), "a contract without a planted violation may be one that never fires"
    for file, line in PLANTED.values():
        (tree / file).write_text(f"{line}\n", encoding="utf-8")
    assert verdicts(tree) == dict.fromkeys(contracts(), "BROKEN")


@pytest.mark.parametrize("contract", ["pki stands alone", "only the journal imports dbos"])
def test_a_planted_import_breaks_its_own_contract_only(contract: str, tree: Path) -> None:
    file, line = PLANTED[contract]
    (tree / file).write_text(f"{line}\n", encoding="utf-8")
    assert {name for name, verdict in verdicts(tree).items() if verdict == "BROKEN"} == {contract}


def test_the_verifier_imports_the_standard_library_and_itself_only() -> None:
    """The contract names what is forbidden; this names what is allowed."""
    named = re.compile(r"^\s*(?:from|import) ([\w.]+)", re.MULTILINE)
    for path in (ROOT / "rollout" / "verify").glob("*.py"):
        for module in named.findall(path.read_text(encoding="utf-8")):
            own = module.startswith("rollout.verify.")
            assert own or module.split(".")[0] in sys.stdlib_module_names, f"{path.name} imports {module}"


def test_the_journal_is_the_only_file_that_names_dbos() -> None:
    """The contract cannot see inside the engine; this does."""
    named = re.compile(r"^\s*(from|import) dbos\b", re.MULTILINE)
    files = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    found = {
        path.relative_to(ROOT).as_posix() for path in files if named.search(path.read_text(encoding="utf-8"))
    }
    assert all(name.startswith("rollout/engine/") for name in found)
    assert len(found) <= 1, found
