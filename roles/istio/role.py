"""Istio with sidecars, upgraded in place, and the choice among Istio's ways.

Upstream's order (istio.io setup/upgrade/helm, "In place upgrade"): base, istiod, gateways; then workloads are
restarted. Two things are ours. Injected proxies are held at the old version until the walk begins, because any
pod that restarts early, anywhere, would otherwise get the new one. And on the way back the data plane goes first:
a control plane below its proxies is not supported (setup/additional-setup; istio#51459 shows what happens).
"""

from __future__ import annotations

from roles.charted import goes_down
from roles.istio.ambient import AmbientRole
from roles.istio.common import (
    CRDS,
    DATA_PLANE,
    ISTIOD,
    NAMESPACES,
    Istio,
    hold,
    let_go,
)
from roles.istio.revision import RevisionRole
from rollout.model.mesh import DataPlane, Mesh, Method
from rollout.model.recipe import ChartsStage, Recipe
from rollout.model.site import Site


class IstioRole(Istio):
    """Implements :class:`rollout.model.role.SubjectRole` for one Istio mesh with sidecars, upgraded in place."""

    def __init__(self, site: Site, mesh: Mesh) -> None:
        super().__init__(site, mesh, "istio")

    def recipe(self, before: str, after: str) -> Recipe:
        if goes_down(before, after):
            control = ChartsStage("control plane", (ISTIOD,), ("istiod",), awaits_control_plane=True)
            stages = (hold(ISTIOD), *self._gateway_charts(), DATA_PLANE, control)
            return self._recipe(before, after, *stages)
        control = ChartsStage(
            "control plane", (ISTIOD,), ("istiod",), parts=(NAMESPACES,), awaits_control_plane=True, pin=True
        )
        return self._recipe(before, after, CRDS, control, *self._gateway_charts(), let_go(ISTIOD), DATA_PLANE)


def istio_role(site: Site, mesh: Mesh) -> IstioRole | RevisionRole | AmbientRole:
    """The role for the way this mesh runs: ambient, by revision, or in place."""
    if mesh.data_plane is DataPlane.AMBIENT:
        return AmbientRole(site, mesh)
    return RevisionRole(site, mesh) if mesh.method is Method.REVISION else IstioRole(site, mesh)
