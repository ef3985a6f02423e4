"""Cilium as a subject of the engine.

Upstream's order (docs.cilium.io operations/upgrade): latest patch of the running minor, preflight until it is Ready
wherever Cilium runs, preflight removed, then one ``helm upgrade`` with ``upgradeCompatibility`` set to the minor that
the cluster was first installed with, one minor at a time, never with --reuse-values (a new chart's own defaults would
be missing). What we change: both DaemonSets are OnDelete, so that agents move node by node and a gateway node
withdraws first; flows through L7 policies, Ingress or Gateway API are cut when their node's agent moves. Agent and
Envoy move in one visit: an agent whose Envoy stayed behind kept pods from starting for hours
(keiretsu-labs/kubernetes-manifests#3012).
"""

from __future__ import annotations

import json

from roles.charted import Charted, goes_down, merged, on_top, unknown_chart
from roles.cilium.values import RELEASE_LABEL, cilium_values, preflight_values
from rollout.model.mesh import Mesh
from rollout.model.recipe import (
    ChartsStage,
    CleanupStage,
    NodesStage,
    NoRecipe,
    Recipe,
    RecipeStage,
    ReplaceNodeAgents,
)
from rollout.model.role import AgentKind, ChartStep, Json
from rollout.model.site import Site

CHART = "cilium"
PREFLIGHT = "cilium-preflight"
OPERATOR = "cilium-operator"
COMPATIBILITY = "upgradeCompatibility"
L7 = (
    "flows through L7 policies, Ingress or Gateway API are cut when their node's agent moves "
    "[cilium operations/upgrade]"
)


class CiliumRole(Charted):
    """Implements :class:`rollout.model.role.SubjectRole` for the Cilium of one site. It has no sidecars."""

    def __init__(self, site: Site, mesh: Mesh) -> None:
        del site
        super().__init__(mesh.name, "cilium", mesh.charts, (mesh.namespace, CHART))
        self._mesh = mesh
        self._own: Json = json.loads(next((v.text for v in mesh.values if v.chart == CHART), "{}"))

    def charts(self) -> tuple[ChartStep, ...]:
        return (ChartStep("network", CHART, self._mesh.namespace, CHART),)

    def chart(self, release: str) -> ChartStep:
        if release == PREFLIGHT:
            return ChartStep("preflight", PREFLIGHT, self._mesh.namespace, CHART)
        return super().chart(release)

    def values(self, step: ChartStep, version: str, data_plane: str | None = None) -> Json:
        del data_plane
        if step.chart != CHART:
            raise unknown_chart(self._mesh, step)
        ours = on_top(self._mesh, CHART, cilium_values(version))
        return merged(ours, preflight_values()) if step.release == PREFLIGHT else ours

    def agents(self) -> tuple[AgentKind, ...]:
        namespace = self._mesh.namespace
        agent = AgentKind("agent", namespace, (("k8s-app", "cilium"),), "cilium-agent")
        envoy = AgentKind("envoy", namespace, (("k8s-app", "cilium-envoy"),), "cilium-envoy", RELEASE_LABEL)
        return (
            agent,
            *((envoy,) if self._has_envoy() else ()),
            AgentKind("operator", namespace, (("io.cilium/app", "operator"),), OPERATOR),
            *self._checks(),
        )

    def _checks(self) -> tuple[AgentKind, ...]:
        """The preflight's DaemonSet must be Ready wherever an agent is; its Deployment validates policies."""
        namespace, label, name = self._mesh.namespace, "k8s-app", "cilium-pre-flight-check"
        return (
            AgentKind("preflight", namespace, ((label, name),), name, beside="agent"),
            AgentKind("preflight-policies", namespace, ((label, f"{name}-deployment"),), "cnp-validator"),
        )

    def _has_envoy(self) -> bool:
        """A site may run Envoy inside the agent; upstream's default has been a DaemonSet of its own since 1.16."""
        envoy = self._own.get("envoy", {})
        return not (isinstance(envoy, dict) and envoy.get("enabled") is False)

    def control_plane(self, version: str = "") -> tuple[str, str]:
        del version
        return self._mesh.namespace, OPERATOR

    def recipe(self, before: str, after: str) -> Recipe:
        """Raises NoRecipe without ``upgradeCompatibility``: the datapath would get the new chart's defaults."""
        if COMPATIBILITY not in self._own:
            text = f"{self.name} does not say which minor its cluster was first installed with"
            fix = f'add {COMPATIBILITY}: "1.X" and all it was installed with to the values of chart {CHART}'
            raise NoRecipe("PLAN-VALUES-01", text, fix=fix)
        stages: tuple[RecipeStage, ...] = (
            ChartsStage("chart", (CHART,), ("operator",), awaits_control_plane=True),
            NodesStage(
                "agents", (ReplaceNodeAgents(("agent", "envoy") if self._has_envoy() else ("agent",)),)
            ),
        )
        if not goes_down(before, after):
            stages = (*self._preflight(), *stages)
        return Recipe(self.name, self.kind, "any", before, after, stages, (L7,))

    def _preflight(self) -> tuple[RecipeStage, ...]:
        check = ChartsStage("preflight", (PREFLIGHT,), ("preflight", "preflight-policies"))
        return check, CleanupStage("preflight is over", ((PREFLIGHT, self._mesh.namespace),))
