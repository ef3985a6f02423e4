"""What the lab's own charts render is part of what upstream's render, from the same values of ours."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from rollout.cli.world import roles_of
from rollout.model.role import ChartStep, Json
from rollout.model.site import Site
from tests.e2e.charts.rig import ISTIO, METALLB, Object, helm, source
from tests.unit import subject_sites as sites

pytestmark = pytest.mark.real

STAND_INS = Path(__file__).resolve().parents[3] / "lab" / "charts"
LESS = re.compile(r"ConfigMap/istio\S* \.data\.|\.containers\[(discovery|controller)\]\.args")
"""Shortened on purpose: mesh configuration, injection templates and logs and webhooks among the arguments."""

CASES = [
    *(("istio", sites.istio(), version) for version in ISTIO),
    *(("istio", sites.by_revision(), version) for version in ISTIO),
    ("metallb", sites.istio(), METALLB[0]),
]


@pytest.mark.parametrize(
    ("subject", "site", "version"), CASES, ids=[f"{s} {m.meshes[0].method.value} {v}" for s, m, v in CASES]
)
def test_a_stand_in_renders_nothing_that_upstream_does_not(
    subject: str, site: Site, version: str, tmp_path: Path
) -> None:
    """MetalLB's of 0.15: its metrics' ports and probes have moved since, and the lab asks none of them."""
    role = roles_of(site)[subject]
    for step in role.charts():
        values = role.values(step, version)
        ours = rendered(STAND_INS / step.chart, step, version, values, tmp_path / "ours")
        upstream = Path(source(subject, version).location) / step.chart
        theirs = rendered(upstream, step, version, values, tmp_path / "theirs")
        assert ours.keys() <= theirs.keys()
        found = [
            f"{name} {difference}"
            for name, item in ours.items()
            if not name.startswith("CustomResourceDefinition")
            for difference in missing(item, theirs[name])
        ]
        assert [difference for difference in found if not LESS.search(difference)] == []


def rendered(chart: Path, step: ChartStep, version: str, values: Json, into: Path) -> dict[str, Object]:
    """Packaged as the adapter does it, and rendered as an install."""
    own = yaml.safe_load((chart / "Chart.yaml").read_text())["version"]
    stamp = [] if own == version else ["--version", version, "--app-version", version]
    run("package", str(chart), *stamp, "--destination", str(into))
    package = str(into / f"{step.chart}-{version}.tgz")
    text = run(
        "template", step.release, package, "--namespace", step.namespace, "-f", "-", given=json.dumps(values)
    )
    found = [item for item in yaml.safe_load_all(text) if item]
    return {f"{item['kind']}/{item['metadata']['name']}": item for item in found}


def run(*words: str, given: str = "") -> str:
    done = subprocess.run([str(helm()), *words], input=given, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def missing(ours: Any, theirs: Any, path: str = "") -> Iterator[str]:
    """Where ours is not part of theirs; items of a list are matched by their names, where they have some."""
    match ours, theirs:
        case Mapping(), Mapping():
            for key, value in ours.items():
                yield from missing(value, theirs.get(key), f"{path}.{key}")
        case Sequence(), Sequence() if named(ours) and named(theirs):
            known = {item["name"]: item for item in theirs}
            for item in ours:
                yield from missing(item, known.get(item["name"]), f"{path}[{item['name']}]")
        case _ if ours != theirs:
            yield f"{path}: {ours!r} is {theirs!r} upstream"


def named(items: Any) -> bool:
    return not isinstance(items, str) and all(isinstance(item, Mapping) and "name" in item for item in items)
