"""What is supported for a site: each subject on the site's Kubernetes, and where one hop leads."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from rollout.errors import PlanRefused
from rollout.model.mesh import DataPlane, MeshKind
from rollout.model.site import Site
from rollout.planner.refuse import require
from rollout.rules.book import book, rulebook
from rollout.rules.evaluate import support_verdicts
from rollout.rules.standing import Standing, render_standings, standings
from tests.unit.sites import site

TODAY = date(2026, 11, 23)


def mesh(kubernetes: str, **changes: object) -> Standing:
    small = site()
    changed = replace(small.meshes[0], **changes)  # type: ignore[arg-type]
    return stood(replace(small, meshes=(changed,)), kubernetes)[0]


def stood(small: Site, kubernetes: str) -> tuple[Standing, ...]:
    return standings(book(), replace(small, kubernetes=replace(small.kubernetes, version=kubernetes)), TODAY)


@pytest.mark.parametrize(
    ("version", "kubernetes", "verdict"),
    [
        ("1.30.3", "1.36", "supported"),
        ("1.30.3", "1.37", "refused"),
        ("1.31.1", "1.37", "warns"),
        ("1.28.1", "1.34", "warns"),
    ],
)
def test_the_pinned_version_is_judged_on_the_sites_kubernetes(
    version: str, kubernetes: str, verdict: str
) -> None:
    assert mesh(kubernetes, version=version).verdict == verdict


def test_a_version_of_no_known_line_is_called_unknown_and_has_no_hops() -> None:
    found = mesh("1.35", version="1.19.0")
    assert (found.verdict, found.hops) == ("unknown", ())
    assert "known lines: 1.27" in found.said[0]


def test_hops_follow_the_data_plane_and_say_what_kubernetes_forbids() -> None:
    sidecar = mesh("1.34", version="1.29.6")
    assert [hop.to for hop in sidecar.hops] == ["1.30.7"]
    consul = mesh("1.36", kind=MeshKind.CONSUL, version="1.22.0")
    assert [(hop.to, hop.verdict) for hop in consul.hops] == [("1.22.7", "refused"), ("2.0.3", "refused")]


def test_ambient_is_judged_by_its_own_rules_and_istios_lines() -> None:
    found = mesh("1.35", data_plane=DataPlane.AMBIENT, version="1.30.3")
    assert (found.kind, found.verdict) == ("istio-ambient", "supported")
    assert [hop.to for hop in found.hops] == ["1.30.7", "1.31.1"]


def test_linkerds_edge_is_placed_in_its_line() -> None:
    found = mesh("1.35", kind=MeshKind.LINKERD, version="edge-25.10.7")
    assert found.verdict == "warns"
    assert "1.29..1.34" in found.said[0]
    assert [hop.to for hop in found.hops] == ["edge-26.9.1"]


def test_the_view_fits_100_columns() -> None:
    small = site()
    text = render_standings(small, stood(small, "1.35"))
    assert max(map(len, text.splitlines())) <= 100
    assert "metallb" in text


def test_a_refusal_under_a_sites_own_row_says_whose_row_it_is(tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    row = (
        '[[support]]\nid = "ISTIO-K8S-130"\nsubject = "istio"\nline = "1.30"\nkubernetes = ["1.32", "1.34"]\n'
    )
    row += 'source = "the contract"\ndate = 2026-11-01\nconfidence = "official"\n'
    (tmp_path / "rules" / "vendor.toml").write_text(row, encoding="utf-8")
    (verdict,) = support_verdicts(rulebook(tmp_path), "istio", "1.30.3", "1.35")
    with pytest.raises(PlanRefused, match=r"the site's rules/vendor\.toml: the contract"):
        require(verdict)
