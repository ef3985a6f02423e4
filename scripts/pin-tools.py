#!/usr/bin/env python3
"""Write tests/tools/<family>/go.mod and go.sum for one family at one version. Needs Go and the module proxy.

Use: .venv/bin/python scripts/pin-tools.py kube-1.35 v1.35.8
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from lab.control.tools import FAMILIES, Family

TOOLS = Path(__file__).parents[1] / "tests" / "tools"


def main(name: str, version: str) -> None:
    family = FAMILIES[name]
    source = _downloaded(family.module, version)
    folder = TOOLS / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "go.sum").unlink(missing_ok=True)
    (folder / "go.mod").write_text(_module_file(family, version, (source / "go.mod").read_text()))
    packages = [program.package for program in family.programs]
    known = (
        ["list", "-mod=mod", "-deps", *packages]
        if packages
        else ["mod", "download", f"{family.module}@{version}"]
    )
    subprocess.run(["go", *known], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    print(f"{folder}: {family.module} {version}")


def _downloaded(module: str, version: str) -> Path:
    with tempfile.TemporaryDirectory() as empty:
        done = subprocess.run(
            ["go", "mod", "download", "-json", f"{module}@{version}"],
            cwd=empty,
            capture_output=True,
            text=True,
        )
    answer = json.loads(done.stdout or "{}")
    if "Dir" not in answer:
        sys.exit(f"{module} {version} cannot be had: {answer.get('Error') or done.stderr}")
    return Path(answer["Dir"])


def _module_file(family: Family, version: str, upstream: str) -> str:
    """Go obeys ``replace`` only in the main module, so Kubernetes' own ones are said again, as versions."""
    kept = re.findall(r"^(?:go|godebug) .*$", upstream, re.MULTILINE)
    tools = "".join(f"\t{program.package}\n" for program in family.programs)
    staged = re.findall(r"^\s*(?:replace )?(k8s\.io/\S+) => \./staging/", upstream, re.MULTILINE)
    numbers = version.removeprefix("v1.")
    replaced = "".join(f"\t{module} => {module} v0.{numbers}\n" for module in staged)
    text = f"module rackroll.invalid/tools/{family.name}\n\n" + "\n".join(kept) + "\n"
    text += f"\ntool (\n{tools})\n" if tools else ""
    text += f"\nrequire {family.module} {version}\n"
    return text + (f"\nreplace (\n{replaced})\n" if replaced else "")


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] not in FAMILIES:
        sys.exit(f"{__doc__}\nfamilies: {', '.join(FAMILIES)}")
    main(*sys.argv[1:])
