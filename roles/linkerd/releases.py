"""Linkerd's names for releases and its charts' numbers for them. Pure.

Since edge-24.3.1 the charts of an edge release are numbered like it, with a year of four digits (linkerd.io blog
2024-03-12, "Helm Chart Release Numbers"): edge-26.6.3 is chart 2026.6.3. Everything else (stable releases, whose
charts had a count of their own, and vendors' builds) is in the site's ``releases``; an enterprise release without an
entry there has the chart of its own number.
"""

from __future__ import annotations

import re

from roles.pins import carried_by, pin_of
from rollout.model.mesh import Mesh
from rollout.model.recipe import NoRecipe

_EDGE = re.compile(r"edge-(\d{2})\.(\d{1,2})\.(\d+)\Z", re.ASCII)
_EDGE_CHART = re.compile(r"20(\d{2})\.(\d{1,2})\.(\d+)\Z", re.ASCII)
_ENTERPRISE = "enterprise-"
_NUMBERED_ALIKE_SINCE = (24, 3, 1)


def chart_of(mesh: Mesh, version: str) -> str:
    """Raises NoRecipe where neither upstream's scheme nor the site says which chart it is."""
    if any(pin.version == version for pin in mesh.releases):
        return pin_of(mesh, version).chart
    edge = _EDGE.match(version)
    if edge and tuple(map(int, edge.groups())) >= _NUMBERED_ALIKE_SINCE:
        return f"20{edge[1]}.{edge[2]}.{edge[3]}"
    if version.startswith(_ENTERPRISE):
        return version.removeprefix(_ENTERPRISE)
    return pin_of(mesh, version).chart


def release_in(mesh: Mesh, chart: str) -> str:
    """What the chart carries: by the site's word, by the edges' numbers, or in the scheme that the site uses."""
    known = carried_by(mesh, chart)
    if known is not None:
        return known
    edge = _EDGE_CHART.match(chart)
    if edge:
        return f"edge-{edge[1]}.{edge[2]}.{edge[3]}"
    return f"{_ENTERPRISE}{chart}" if mesh.version.startswith(_ENTERPRISE) else chart


def same_scheme(before: str, after: str) -> None:
    """Raises NoRecipe: an edge and a numbered release have no common order to go up or down in."""
    if before.startswith("edge-") == after.startswith("edge-"):
        return
    text = f"{before} and {after} are numbered by two schemes that have no common order"
    raise NoRecipe("PLAN-METHOD-01", text, fix="stay with edge releases or with numbered ones")
