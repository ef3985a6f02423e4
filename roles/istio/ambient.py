"""Istio ambient: two more charts, both DaemonSets that upstream cannot canary, handed over node by node here.

Upstream's order (istio.io ambient/upgrade/helm): base, istiod, cni, ztunnel, then gateways and waypoints. Upgrading
ztunnel resets every long connection of its node, and no pod starts on a node while its cni agent is away, so both
are OnDelete and a gateway node withdraws first; Sail operator's update-strategy guide does the same by hand.

Waypoints are Deployments that istiod renders: letting the pin go makes them roll, each by itself with surge. So
the pin is let go only after every ztunnel has moved. Gateway nodes are visited twice: once for their agents, once
for their gateways, because upstream puts every ztunnel before the first gateway.
"""

from __future__ import annotations

from roles.charted import goes_down
from roles.istio.common import CRDS, ISTIOD, NAMESPACES, Istio, hold, let_go
from roles.istio.trust import ambient_way
from roles.istio.values import ambient_istiod_values, cni_values, ztunnel_values
from rollout.model.mesh import Mesh
from rollout.model.recipe import (
    ChartsStage,
    NodesStage,
    Recipe,
    RecipeStage,
    ReplaceNodeAgents,
    RestartProxies,
)
from rollout.model.role import AgentKind, ChartStep, Json
from rollout.model.site import Site
from rollout.model.trust import TrustWay

CNI = "istio-cni"
ZTUNNEL = "ztunnel"
AGENT_CHARTS = ChartsStage("node agent charts", (CNI, ZTUNNEL))
GATEWAYS = NodesStage("waypoints and gateways", (RestartProxies(),))
WAYPOINTS = (
    "waypoints roll by themselves once istiod renders the new proxy: each is a Deployment with surge, "
    "but all of them start together [istio.io ambient/upgrade/helm]"
)
LONG = "ztunnel's connections that outlive its drain are cut on every node in its turn [istio.io ambient/upgrade/helm]"


class AmbientRole(Istio):
    """Implements :class:`rollout.model.role.SubjectRole` for one Istio mesh in ambient mode."""

    method = "any"

    def __init__(self, site: Site, mesh: Mesh) -> None:
        super().__init__(site, mesh, "istio-ambient")

    def _control_charts(self) -> tuple[ChartStep, ...]:
        agents = (self._step(CNI, "cni"), self._step(ZTUNNEL, "ztunnel"))
        return (*super()._control_charts(), *agents)

    def _values(self, step: ChartStep, version: str, data_plane: str | None) -> Json:
        match step.chart:
            case "istiod":
                return ambient_istiod_values(self._mesh, version, data_plane)
            case "cni":
                return cni_values(version)
            case "ztunnel":
                return ztunnel_values(self._site.pacing, version)
            case _:
                return super()._values(step, version, data_plane)

    def namespace_labels(self) -> dict[str, str]:
        return {"istio.io/dataplane-mode": "ambient"}

    def trust(self) -> TrustWay | None:
        return ambient_way(self._mesh.namespace)

    def agents(self) -> tuple[AgentKind, ...]:
        namespace = self._mesh.namespace
        return (
            *super().agents(),
            AgentKind("cni", namespace, (("k8s-app", "istio-cni-node"),), "install-cni"),
            AgentKind("ztunnel", namespace, (("app", "ztunnel"),), "istio-proxy"),
        )

    def recipe(self, before: str, after: str) -> Recipe:
        if goes_down(before, after):
            return self._recipe(before, after, *self._down(), notes=(WAYPOINTS, LONG))
        control = ChartsStage(
            "control plane", (ISTIOD,), ("istiod",), parts=(NAMESPACES,), awaits_control_plane=True, pin=True
        )
        agents = NodesStage("node agents", (ReplaceNodeAgents(("cni", "ztunnel")),))
        stages = (CRDS, control, AGENT_CHARTS, agents, *self._gateway_charts(), let_go(ISTIOD), GATEWAYS)
        return self._recipe(before, after, *stages, notes=(WAYPOINTS, LONG))

    def _down(self) -> tuple[RecipeStage, ...]:
        """Upstream's order backwards; istiod last, for nothing may be newer than it."""
        agents = NodesStage("node agents", (ReplaceNodeAgents(("ztunnel", "cni")),))
        control = ChartsStage("control plane", (ISTIOD,), ("istiod",), awaits_control_plane=True)
        return (hold(ISTIOD), *self._gateway_charts(), GATEWAYS, AGENT_CHARTS, agents, control)
