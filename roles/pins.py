"""Charts that are numbered apart from what they carry: the site says which carries which (meshes[].releases)."""

from __future__ import annotations

from rollout.model.mesh import Mesh
from rollout.model.policy import ReleasePin
from rollout.model.recipe import NoRecipe


def pin_of(mesh: Mesh, version: str) -> ReleasePin:
    """Raises NoRecipe: guessing a chart's number would install something else than what was planned."""
    found = next((pin for pin in mesh.releases if pin.version == version), None)
    if found is not None:
        return found
    known = ", ".join(f"{pin.version} in chart {pin.chart}" for pin in mesh.releases) or "none"
    text = f"no chart is known that carries {mesh.kind.value} {version}; meshes[].releases of {mesh.name} has: {known}"
    raise NoRecipe(
        "PLAN-CHART-02", text, fix=f"add {{version: {version}, chart: ...}} to {mesh.name}'s releases"
    )


def carried_by(mesh: Mesh, chart: str) -> str | None:
    return next((pin.version for pin in mesh.releases if pin.chart == chart), None)
