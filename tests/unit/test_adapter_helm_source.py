"""Where a chart comes from: a registry at an exact version, or a folder whose placeholder is stamped."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import TypeAdapter, ValidationError

from rollout.engine.ports import ChartRequest
from rollout.errors import PlanRefused, StepFailed
from rollout.model.mesh import ChartSource, ChartSourceKind
from rollout.site.versions import ChartVersion, MeshVersion
from tests.unit.test_adapter_helm import REQUEST, ScriptedHelm, charts, option


def test_an_oci_chart_is_named_by_its_registry_and_exact_version() -> None:
    helm = ScriptedHelm()
    charts(helm).install(REQUEST)
    words = helm.line_of("upgrade")
    assert words[1:3] == ["istiod", "oci://registry.example/charts/istiod"]
    assert option(words, "--version") == "1.31.1"
    assert "--repo" not in words


def test_an_http_chart_is_named_by_its_repository_and_exact_version() -> None:
    helm = ScriptedHelm()
    source = ChartSource(ChartSourceKind.HTTP, "https://charts.example/istio")
    charts(helm).install(replace(REQUEST, source=source))
    words = helm.line_of("upgrade")
    assert words[1:3] == ["istiod", "istiod"]
    assert option(words, "--repo") == "https://charts.example/istio"
    assert option(words, "--version") == "1.31.1"


def test_a_source_chart_is_stamped_with_the_version_before_it_is_installed(tmp_path: Path) -> None:
    (tmp_path / "istiod").mkdir()
    (tmp_path / "istiod" / "Chart.yaml").write_text("name: istiod\nversion: 0.0.0\n")
    helm = ScriptedHelm()
    charts(helm).install(replace(REQUEST, source=ChartSource(ChartSourceKind.PATH, str(tmp_path))))
    packaged = helm.line_of("package")
    assert packaged[1] == str(tmp_path / "istiod")
    assert (option(packaged, "--version"), option(packaged, "--app-version")) == ("1.31.1", "1.31.1")
    installed = helm.line_of("upgrade")[2]
    assert installed == f"{option(packaged, '--destination')}/istiod-1.31.1.tgz"


def source_chart(folder: Path, meta: str) -> ChartRequest:
    (folder / "istiod").mkdir()
    (folder / "istiod" / "Chart.yaml").write_text(f"name: istiod\n{meta}\n")
    return replace(REQUEST, source=ChartSource(ChartSourceKind.PATH, str(folder)))


def test_a_v_before_the_placeholder_is_kept_because_images_are_tagged_by_it(tmp_path: Path) -> None:
    helm = ScriptedHelm()
    charts(helm).install(source_chart(tmp_path, "version: 0.0.0-undefined\nappVersion: v0.0.0"))
    packaged = helm.line_of("package")
    assert (option(packaged, "--version"), option(packaged, "--app-version")) == ("1.31.1", "v1.31.1")


def test_a_source_chart_that_has_its_number_already_is_left_as_it_is(tmp_path: Path) -> None:
    helm = ScriptedHelm()
    charts(helm).install(source_chart(tmp_path, "version: 1.31.1\nappVersion: v1.31.1"))
    assert helm.line_of("package")[2:3] == ["--destination"]


def test_a_source_chart_of_another_version_is_not_passed_off_as_the_one_asked_for(tmp_path: Path) -> None:
    helm = ScriptedHelm()
    request = source_chart(tmp_path, "version: 1.30.3\nappVersion: 1.30.3")
    with pytest.raises(StepFailed, match=r"has istiod 1\.30\.3, and 1\.31\.1 was asked for"):
        charts(helm).install(request)
    assert helm.ran_verbs() == []


def test_a_missing_source_chart_is_named_with_where_it_was_looked_for(tmp_path: Path) -> None:
    request = replace(REQUEST, source=ChartSource(ChartSourceKind.PATH, str(tmp_path)))
    with pytest.raises(StepFailed, match="no chart 'istiod'") as caught:
        charts(ScriptedHelm()).install(request)
    assert caught.value.where == str(tmp_path / "istiod")


FLOATING = ("latest", "stable", "1.31", "1.31.x", "^1.31.0", "~1.31.0", ">=1", ">=1.30.0", "*", "", "v1.31.1")


@pytest.mark.parametrize("kind", list(ChartSourceKind))
@pytest.mark.parametrize("version", [*FLOATING, "1.31.1 || 1.32.0", "1.31.1 ", "\u0661.31.1"])
def test_a_floating_version_is_refused_of_every_source_before_helm_runs(
    version: str, kind: ChartSourceKind
) -> None:
    helm = ScriptedHelm()
    request = replace(REQUEST, version=version, source=ChartSource(kind, "somewhere"))
    with pytest.raises(PlanRefused, match="not an exact version"):
        charts(helm).install(request)
    assert helm.ran == []


@pytest.mark.parametrize("version", FLOATING)
def test_a_site_file_names_no_floating_version(version: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(ChartVersion).validate_python(version)
    with pytest.raises(ValidationError):
        TypeAdapter(MeshVersion).validate_python(version)
