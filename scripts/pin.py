#!/usr/bin/env python3
"""Print constraints.txt: rackroll's dependencies, and theirs, at the versions in the environment that runs this.

Use: .venv/bin/pip install --upgrade ...; make test; .venv/bin/python scripts/pin.py > constraints.txt
"""

from __future__ import annotations

import tomllib
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

HEAD = """\
# Every package that rackroll and its tests need, at the version they were tested with. Written by scripts/pin.py.
# pyproject.toml has the lower bounds; `make` installs exactly these.
"""


def main() -> None:
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))[
        "project"
    ]
    wanted = [Requirement(line) for line in project["dependencies"] + project["optional-dependencies"]["dev"]]
    pins: dict[str, str] = {}
    while wanted:
        requirement = wanted.pop()
        wanted += _add(requirement, pins)
    print(HEAD + "\n".join(f"{name}=={pins[name]}" for name in sorted(pins)))


def _add(requirement: Requirement, pins: dict[str, str]) -> list[Requirement]:
    """Pin one package; what it needs in turn, unless it was seen already (its extras are asked for again)."""
    name = canonicalize_name(requirement.name)
    if name in pins and not requirement.extras:
        return []
    try:
        found = distribution(name)
    except PackageNotFoundError:
        return []  # for another platform or Python
    pins[name] = found.version
    needs = [Requirement(line) for line in found.requires or ()]
    extras = {"", *requirement.extras}
    return [
        need
        for need in needs
        if need.marker is None or any(need.marker.evaluate({"extra": e}) for e in extras)
    ]


if __name__ == "__main__":
    main()
