"""Istio as a subject of the engine: charts in order, values that keep N-1, and what values cannot say."""

from __future__ import annotations

from roles.charted import Charted, unknown_chart
from roles.istio.values import base_values, gateway_values, istiod_values
from rollout.model.recipe import ChartsStage, NodesStage, Recipe, RestartProxies
from rollout.model.role import AgentKind, ChartStep, Json, ProxyKind
from rollout.model.site import Gateway, Mesh, Site

BASE = "istio-base"
ISTIOD = "istiod"
NAMESPACES = "namespaces"
UPDATE_STRATEGY = "gateways-update-strategy"
_HEALTH = ("pilot-agent", "request", "POST")
ENVOY = ProxyKind("proxy", "istio-proxy", "app", (*_HEALTH, "healthcheck/fail"), (*_HEALTH, "healthcheck/ok"))


class IstioRole(Charted):
    """Implements :class:`rollout.model.role.SubjectRole` for one Istio mesh of one site."""

    def __init__(self, site: Site, mesh: Mesh) -> None:
        super().__init__(mesh.name, mesh.kind.value, mesh.charts, (mesh.namespace, ISTIOD))
        self._site = site
        self._mesh = mesh

    def charts(self) -> tuple[ChartStep, ...]:
        """CRDs, control plane, then one release per gateway: a gateway before istiod never becomes ready."""
        namespace = self._mesh.namespace
        gateways = (ChartStep("gateways", g.name, g.namespace, "gateway") for g in self._mesh.gateways)
        return (
            ChartStep("control-plane", BASE, namespace, "base"),
            ChartStep("control-plane", ISTIOD, namespace, "istiod"),
            *gateways,
        )

    def values(self, step: ChartStep, version: str, data_plane: str | None = None) -> Json:
        del data_plane
        match step.chart:
            case "base":
                return base_values(self._mesh)
            case "istiod":
                return istiod_values(self._mesh, version)
            case "gateway":
                return gateway_values(self._site, self._gateway(step.release))
            case _:
                raise unknown_chart(self._mesh, step)

    def proxies(self) -> ProxyKind:
        return ENVOY

    def agents(self) -> tuple[AgentKind, ...]:
        return (AgentKind("istiod", self._mesh.namespace, (("app", "istiod"),), "discovery"),)

    def recipe(self, before: str, after: str) -> Recipe:
        """In place: istiod with new proxies held back, gateway charts that roll nothing, then the data plane."""
        control = ChartsStage(
            "control plane", (BASE, ISTIOD), ("istiod",), parts=(NAMESPACES,), awaits_control_plane=True
        )
        gateways = ChartsStage(
            "gateway charts", tuple(g.name for g in self._mesh.gateways), parts_before=(UPDATE_STRATEGY,)
        )
        proxies = NodesStage("data plane", (RestartProxies(),))
        return Recipe(self.name, self.kind, "in-place", before, after, (control, gateways, proxies))

    def parts(self) -> tuple[str, ...]:
        return (NAMESPACES, UPDATE_STRATEGY)

    def objects(self, part: str) -> tuple[Json, ...]:
        match part:
            case "namespaces":
                return tuple(_injected(name) for name in self._mesh.namespaces)
            case "gateways-update-strategy":
                return tuple(_on_delete(gateway) for gateway in self._mesh.gateways)
            case _:
                return super().objects(part)

    def control_plane(self, version: str = "") -> tuple[str, str]:
        del version
        return self._mesh.namespace, ISTIOD

    def _gateway(self, release: str) -> Gateway:
        return next(gateway for gateway in self._mesh.gateways if gateway.name == release)


def _injected(namespace: str) -> Json:
    labels = {"istio-injection": "enabled"}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": labels}}


def _on_delete(gateway: Gateway) -> Json:
    """A chart upgrade changes the pod template: the default strategy would then roll all racks at once."""
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": gateway.name, "namespace": gateway.namespace},
        "spec": {"updateStrategy": {"type": "OnDelete"}},
    }
