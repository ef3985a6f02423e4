"""A plan's warnings: what the new release brings, what has ended, and places that a way back will not find."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from rollout.engine.observe import observe
from rollout.model.mesh import ChartSource, ChartSourceKind
from rollout.model.site import Site
from rollout.planner.request import asked
from rollout.planner.upgrade import plan_upgrade
from tests.unit.fake_world import roles, running
from tests.unit.sites import site


def warnings(small: Site, today: date | None) -> str:
    request = asked(small, observe(running(small)[1]), roles(small), ("istio", "1.31.1"))
    return "\n".join(plan_upgrade(replace(request, today=today)).warnings)


def from_charts(location: str) -> Site:
    small = site()
    source = ChartSource(ChartSourceKind.OCI, location)
    return replace(small, meshes=tuple(replace(mesh, charts=source) for mesh in small.meshes))


@pytest.mark.parametrize(
    ("location", "warns"),
    [("oci://gcr.io/istio-release/charts", True), ("oci://ghcr.io/istio/release/charts", False)],
)
def test_a_chart_source_that_upstream_takes_away_is_warned_of(location: str, warns: bool) -> None:
    text = warnings(from_charts(location), date(2026, 11, 23))
    assert ("ISTIO-HUB-01" in text) is warns
    assert ("2026-12-08" in text) is warns


def test_what_the_new_line_brings_is_told_once_and_nothing_of_lines_already_there() -> None:
    text = warnings(site(), None)
    assert text.count("ISTIO-NOTE-131A") == 1
    assert "ISTIO-NOTE-130" not in text
