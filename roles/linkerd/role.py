"""Linkerd as a subject of the engine.

Upstream's order (linkerd.io 2-edge/tasks/upgrade, "Overall upgrade process"): CRDs, control plane, extensions, then
workloads are restarted. Proxies may be one major version (2.X) behind the control plane and no more. The data plane
has no unit of upstream's own: once the control plane has moved, any pod that restarts gets the new proxy. So
``proxy.image.version`` holds them at the old one until the walk over the racks begins.
"""

from __future__ import annotations

from roles.charted import Charted, goes_down, on_top, unknown_chart
from roles.linkerd.releases import chart_of, release_in, same_scheme
from roles.linkerd.trust import LinkerdTrust, way
from roles.linkerd.values import control_plane_values, crds_values
from rollout.model.mesh import Mesh
from rollout.model.recipe import ChartsStage, NodesStage, Recipe, RecipeStage, RestartProxies
from rollout.model.role import AgentKind, ChartStep, Json, ProxyKind
from rollout.model.site import Site
from rollout.model.trust import TrustWay

CRDS = "linkerd-crds"
CONTROL_PLANE = "linkerd-control-plane"
INJECTOR = "linkerd-proxy-injector"
NAMESPACES = "namespaces"
COMPONENT = "linkerd.io/control-plane-component"
CONTROLLERS = ("destination", "identity", "proxy-injector")
MULTICLUSTER = "multicluster"
RELINK = (
    "multicluster: the service mirrors of linked clusters are not part of the chart; link them again afterwards "
    "(`linkerd multicluster link`) [linkerd.io tasks/upgrade]"
)
WALK = NodesStage("data plane", (RestartProxies(),))


class LinkerdRole(Charted):
    """Implements :class:`rollout.model.role.SubjectRole` for one Linkerd mesh of one site. It has no gateways."""

    def __init__(self, site: Site, mesh: Mesh) -> None:
        del site
        super().__init__(mesh.name, "linkerd", mesh.charts, (mesh.namespace, CONTROL_PLANE))
        self._mesh = mesh

    def charts(self) -> tuple[ChartStep, ...]:
        namespace = self._mesh.namespace
        return (
            ChartStep("control-plane", CRDS, namespace, CRDS),
            ChartStep("control-plane", CONTROL_PLANE, namespace, CONTROL_PLANE),
            *(ChartStep("control-plane", name, name, name) for name in self._extensions()),
        )

    def _extensions(self) -> tuple[str, ...]:
        return tuple(f"linkerd-{name}" for name in self._mesh.extensions)

    def values(self, step: ChartStep, version: str, data_plane: str | None = None) -> Json:
        return on_top(self._mesh, step.chart, self._values(step, version, data_plane))

    def _values(self, step: ChartStep, version: str, data_plane: str | None) -> Json:
        if step.chart == CRDS:
            return crds_values()
        if step.chart == CONTROL_PLANE:
            return control_plane_values(self._mesh, version, data_plane)
        if step.chart in self._extensions():
            return {"linkerdVersion": version}
        raise unknown_chart(self._mesh, step)

    def chart_version(self, step: ChartStep, version: str) -> str:
        del step
        return chart_of(self._mesh, version)

    def carried(self, step: ChartStep, chart: str) -> str:
        del step
        return release_in(self._mesh, chart)

    def proxies(self) -> ProxyKind:
        return ProxyKind("proxy", "linkerd-proxy")

    def trust(self) -> TrustWay | None:
        return way(self._mesh.namespace)

    def object_trust(self) -> LinkerdTrust:
        return LinkerdTrust(self._mesh.namespace)

    def agents(self) -> tuple[AgentKind, ...]:
        """The control plane's own pods carry a proxy too, but Helm restarts them, not we: they are no data plane."""
        namespace = self._mesh.namespace
        return tuple(
            AgentKind("control-plane", namespace, ((COMPONENT, name),), name) for name in CONTROLLERS
        )

    def parts(self) -> tuple[str, ...]:
        return (NAMESPACES,)

    def objects(self, part: str) -> tuple[Json, ...]:
        if part == NAMESPACES:
            return tuple(_injected(name) for name in self._mesh.namespaces)
        return super().objects(part)

    def control_plane(self, version: str = "") -> tuple[str, str]:
        """The injector: while it is away no meshed pod can start anywhere."""
        del version
        return self._mesh.namespace, INJECTOR

    def recipe(self, before: str, after: str) -> Recipe:
        same_scheme(before, after)
        chart_of(self._mesh, after)
        notes = (RELINK,) if MULTICLUSTER in self._mesh.extensions else ()
        stages = self._down() if goes_down(before, after) else self._up()
        return Recipe(self.name, self.kind, "any", before, after, stages, notes)

    def _up(self) -> tuple[RecipeStage, ...]:
        """The control plane rolls a second time when the pin goes: its own pods carry proxies too."""
        control = ChartsStage(
            "control plane",
            (CONTROL_PLANE,),
            ("control-plane",),
            parts=(NAMESPACES,),
            awaits_control_plane=True,
            pin=True,
        )
        free = ChartsStage("new proxies", (CONTROL_PLANE,), awaits_control_plane=True)
        return (ChartsStage("CRDs", (CRDS,)), control, *self._extension_charts(), free, WALK)

    def _down(self) -> tuple[RecipeStage, ...]:
        """CRDs stay: an older chart would take away kinds that stored objects use."""
        held = ChartsStage(
            "hold new proxies", (CONTROL_PLANE,), awaits_control_plane=True, pin=True, stays=True
        )
        control = ChartsStage(
            "control plane", (CONTROL_PLANE,), ("control-plane",), awaits_control_plane=True
        )
        return (held, WALK, *self._extension_charts(), control)

    def _extension_charts(self) -> tuple[ChartsStage, ...]:
        found = self._extensions()
        return (ChartsStage("extensions", found),) if found else ()


def _injected(namespace: str) -> Json:
    """Linkerd asks for injection with an annotation, not with a label."""
    annotations = {"linkerd.io/inject": "enabled"}
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": namespace, "annotations": annotations},
    }
