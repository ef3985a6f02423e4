"""Every value of ours is one that upstream's chart knows: Helm ignores a misspelt key, and says nothing."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from rollout.cli.world import roles_of
from rollout.model.role import Json, SubjectRole
from rollout.model.site import Site
from tests.e2e.charts.rig import ISTIO, METALLB, helm, source
from tests.unit import subject_sites as sites

pytestmark = pytest.mark.real

FLATTENED = re.compile(r"Flatten globals.*\n{{- if true }}")
"""Some of Istio's charts read ``global.hub`` as ``hub``: all of ``global`` is laid over their own defaults."""

WAYS = {"in place": sites.istio(), "by revision": sites.by_revision(), "ambient": sites.ambient()}
CASES = [
    *(
        pytest.param(site, "istio", version, id=f"istio {way} {version}")
        for way, site in WAYS.items()
        for version in ISTIO
    ),
    *(pytest.param(sites.istio(), "metallb", version, id=f"metallb {version}") for version in METALLB),
]


@pytest.mark.parametrize(("site", "subject", "version"), CASES)
def test_every_key_that_a_role_sets_is_known_to_the_chart(site: Site, subject: str, version: str) -> None:
    role = roles_of(site)[subject]
    unknown = {
        f"{step.chart}: {'.'.join(path)}"
        for step in role.charts()
        for values in all_values(role, step.release, version)
        for path in paths(values)
        if not known(folder(subject, step.chart, version), path, values)
    }
    assert not unknown


@pytest.mark.parametrize(
    ("subject", "chart", "misspelt"),
    [
        ("istio", "gateway", ("podDisruptionBudgets", "minAvailable")),
        ("istio", "gateway", ("service", "externalTraficPolicy")),
        ("istio", "istiod", ("global", "proxyInit", "image")),
        ("istio", "ztunnel", ("terminationGracePeriod",)),
        ("metallb", "metallb", ("speaker", "ignoreExcludeLb")),
        ("metallb", "metallb", ("frrk8s", "enable")),
    ],
)
def test_a_misspelt_key_would_be_found(subject: str, chart: str, misspelt: tuple[str, ...]) -> None:
    newest = {"istio": ISTIO, "metallb": METALLB}[subject][-1]
    assert not known(folder(subject, chart, newest), misspelt, {})


@pytest.mark.parametrize("version", ISTIO)
def test_the_tags_webhook_is_what_upstreams_chart_would_render(version: str) -> None:
    """Applied by us, because no release may own it; so it has to be followed by hand, and here is who notices."""
    role = roles_of(sites.by_revision())["istio"]
    revision = version.replace(".", "-")
    ours = role.objects(f"tag-{revision}")[0]
    upstream = rendered(version, f"istiod-{revision}", {"revision": revision, "revisionTags": ["prod"]})
    assert ours["metadata"]["name"] == upstream["metadata"]["name"]
    assert by_name(ours) == by_name(upstream)


def by_name(configuration: Json) -> dict[str, Any]:
    return {webhook["name"]: webhook for webhook in json.loads(json.dumps(configuration["webhooks"]))}


def rendered(version: str, release: str, values: Json) -> Json:
    chart = str(folder("istio", "istiod", version))
    words = ["template", release, chart, "--namespace", "istio-system", "--values", "-"]
    only = ["--show-only", "templates/revision-tags-mwc.yaml"]
    done = subprocess.run(
        [str(helm()), *words, *only], input=json.dumps(values), capture_output=True, text=True, check=True
    )
    found: Json = yaml.safe_load(done.stdout)
    return found


def all_values(role: SubjectRole, release: str, version: str) -> tuple[Json, Json]:
    """Without a pin of the data plane, and with one."""
    step = role.chart(release)
    return role.values(step, version), role.values(step, version, "1.2.3")


def folder(subject: str, chart: str, version: str) -> Path:
    return Path(source(subject, version).location) / chart


def paths(values: Mapping[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from paths(value, (*above, key))
        else:
            yield (*above, key)


def known(chart: Path, path: tuple[str, ...], values: Json) -> bool:
    """It has a default, or a template names it, or a template hands the whole of what it is part of to Kubernetes."""
    if path == ("profile",):
        return (chart / "files" / f"profile-{values['profile']}.yaml").is_file()
    if path[0] == "global" and FLATTENED.search(_machinery(chart)):
        return known(chart, path[1:], values)
    return _has_default(_defaults(chart), path) or _named(_templates(chart), path)


def _has_default(defaults: Any, path: tuple[str, ...]) -> bool:
    for key in path:
        if not isinstance(defaults, Mapping) or key not in defaults:
            return False
        defaults = defaults[key]
    return True


def _named(templates: str, path: tuple[str, ...]) -> bool:
    """``.Values.a.b`` and no longer path; or ``a`` of ``a.b``, where it is rendered as it stands."""
    if re.search(_mention(path), templates):
        return True
    parts = (_mention(path[:length]) for length in range(1, len(path)))
    return any(re.search(rf"toYaml.*{part}|with {part} |{part}.*toYaml", templates) for part in parts)


def _mention(path: tuple[str, ...]) -> str:
    return rf"\$?\.Values\.{re.escape('.'.join(path))}(?![\w.])"


def _defaults(chart: Path) -> Any:
    """Istio's charts keep theirs under a key of its own, so that profiles fit in between."""
    values = yaml.safe_load((chart / "values.yaml").read_text())
    return values.get("_internal_defaults_do_not_set", {}) | values


def _templates(chart: Path) -> str:
    files = (path for path in chart.glob("templates/**/*") if path.suffix in (".yaml", ".tpl"))
    return "\n".join(path.read_text() for path in files if path.name != "zzz_profile.yaml")


def _machinery(chart: Path) -> str:
    found = chart / "templates" / "zzz_profile.yaml"
    return found.read_text() if found.is_file() else ""
