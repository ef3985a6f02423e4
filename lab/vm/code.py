"""What every machine sees read-only as ``/lab/code``: this package, its Python packages, and the Envoys.

A copy below ``.lab``, so that a machine that misbehaves can spoil its lab and nothing else; over virtiofs, so that
nothing is packed into a disk and every machine has the same bytes.
"""

from __future__ import annotations

import sys
import sysconfig
from pathlib import Path

from lab.command import run
from lab.node.envoy import cache, ensure_all
from lab.vm.machines import ROOT
from rollout.errors import RackrollError

PLACE = Path("/lab/code")
_PACKAGES = ("lab", "rollout", "roles", "pki", "deploys")
BOX_PYTHON = (3, 11)
"""Debian 12's, which the box has: packages with C code fit one minor version only."""

_COPY_SECONDS = 600


def check_python(version: tuple[int, int] = sys.version_info[:2]) -> None:
    """Raises RackrollError where this environment's packages would not load in a machine."""
    if version != BOX_PYTHON:
        wanted, ours = (".".join(map(str, each)) for each in (BOX_PYTHON, version))
        raise RackrollError(
            f"the machines have Python {wanted}, and this environment is of {ours}",
            where="lab",
            hint=f"make .venv with it: make clean, then PYTHON=python{wanted} make lab-tools",
        )


def lay_out_code(target: Path) -> None:
    """Copy it all to ``target``, which is new. Raises RackrollError."""
    ensure_all()
    packages = Path(sysconfig.get_paths()["purelib"])
    for name in ("repo", "cache/rackroll"):
        (target / name).mkdir(parents=True)
    _copy([ROOT / name for name in _PACKAGES], target / "repo")
    _copy([packages], target / "packages")
    _copy([cache()], target / "cache" / "rackroll" / "envoy")


def _copy(sources: list[Path], target: Path) -> None:
    run(["cp", "-a", "--reflink=auto", *map(str, sources), str(target)], timeout=_COPY_SECONDS)
