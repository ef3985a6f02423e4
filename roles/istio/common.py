"""What Istio's three ways of running share: releases, gateways as OnDelete DaemonSets, parts, proxies."""

from __future__ import annotations

from roles.charted import Charted, on_top, unknown_chart
from roles.istio.trust import IstioTrust, sidecar_way
from roles.istio.values import base_values, gateway_values, istiod_values, pushes_trust
from rollout.model.mesh import Gateway, Mesh
from rollout.model.recipe import ChartsStage, NodesStage, Recipe, RecipeStage, RestartProxies
from rollout.model.role import AgentKind, ChartStep, Json, ProxyKind
from rollout.model.site import Site
from rollout.model.trust import TrustWay

BASE = "istio-base"
ISTIOD = "istiod"
NAMESPACES = "namespaces"
UPDATE_STRATEGY = "gateways-update-strategy"
DATA_PLANE = NodesStage("data plane", (RestartProxies(),))
CRDS = ChartsStage("CRDs", (BASE,))
"""Only ever forwards: an older base chart would take away fields that stored objects use."""


_HEALTH = ("pilot-agent", "request", "POST")
ENVOY = ProxyKind("proxy", "istio-proxy", "app", (*_HEALTH, "healthcheck/fail"), (*_HEALTH, "healthcheck/ok"))
"""Failing its health check makes Envoy answer with ``Connection: close``: what a drain needs to lose nothing."""


class Istio(Charted):
    """Shared half of the roles in this package. ``revision`` is what gateways carry as ``istio.io/rev``."""

    revision = ""
    method = "in-place"

    def __init__(self, site: Site, mesh: Mesh, kind: str) -> None:
        super().__init__(mesh.name, kind, mesh.charts, (mesh.namespace, ISTIOD))
        self._site = site
        self._mesh = mesh

    def charts(self) -> tuple[ChartStep, ...]:
        """CRDs, control plane, then one release per gateway: a gateway before istiod never becomes ready."""
        gateways = (ChartStep("gateways", g.name, g.namespace, "gateway") for g in self._mesh.gateways)
        return (*self._control_charts(), *gateways)

    def _control_charts(self) -> tuple[ChartStep, ...]:
        return (self._step(BASE, "base"), self._step(ISTIOD, "istiod"))

    def _step(self, release: str, chart: str) -> ChartStep:
        return ChartStep("control-plane", release, self._mesh.namespace, chart)

    def values(self, step: ChartStep, version: str, data_plane: str | None = None) -> Json:
        return on_top(self._mesh, step.chart, self._values(step, version, data_plane))

    def _values(self, step: ChartStep, version: str, data_plane: str | None) -> Json:
        match step.chart:
            case "base":
                return base_values(self._mesh)
            case "istiod":
                return istiod_values(self._mesh, version, data_plane)
            case "gateway":
                return gateway_values(self._site, self._gateway(step.release), self.revision)
            case _:
                raise unknown_chart(self._mesh, step)

    def proxies(self) -> ProxyKind:
        return ENVOY

    def trust(self) -> TrustWay | None:
        return sidecar_way(self._mesh.namespace, pushed=pushes_trust(self._mesh))

    def object_trust(self) -> IstioTrust:
        return IstioTrust(self._mesh.namespace)

    def agents(self) -> tuple[AgentKind, ...]:
        return (AgentKind("istiod", self._mesh.namespace, (("app", "istiod"),), "discovery"),)

    def parts(self) -> tuple[str, ...]:
        return (NAMESPACES, UPDATE_STRATEGY)

    def objects(self, part: str) -> tuple[Json, ...]:
        match part:
            case "namespaces":
                return tuple(labelled(name, self.namespace_labels()) for name in self._mesh.namespaces)
            case "gateways-update-strategy":
                return tuple(_on_delete(gateway) for gateway in self._mesh.gateways)
            case _:
                return super().objects(part)

    def namespace_labels(self) -> dict[str, str]:
        return {"istio-injection": "enabled"}

    def control_plane(self, version: str = "") -> tuple[str, str]:
        del version
        return self._mesh.namespace, ISTIOD

    def _gateway(self, release: str) -> Gateway:
        return next(gateway for gateway in self._mesh.gateways if gateway.name == release)

    def _gateway_charts(self) -> tuple[RecipeStage, ...]:
        """OnDelete is made sure of first: then a chart upgrade changes templates and restarts nothing."""
        names = tuple(gateway.name for gateway in self._mesh.gateways)
        stage = ChartsStage("gateway charts", names, parts_before=(UPDATE_STRATEGY,))
        return (stage,) if names else ()

    def _recipe(self, before: str, after: str, *stages: RecipeStage, notes: tuple[str, ...] = ()) -> Recipe:
        return Recipe(self.name, self.kind, self.method, before, after, stages, notes)


def hold(release: str) -> ChartsStage:
    """The way back begins: the control plane stays, but whatever starts from now on gets the older proxy."""
    return ChartsStage("hold new proxies", (release,), awaits_control_plane=True, pin=True, stays=True)


def let_go(release: str, name: str = "new proxies") -> ChartsStage:
    """The pin goes: whatever starts from now on gets the control plane's own proxy."""
    return ChartsStage(name, (release,), awaits_control_plane=True)


def labelled(namespace: str, labels: dict[str, str]) -> Json:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": labels}}


def _on_delete(gateway: Gateway) -> Json:
    """A chart upgrade changes the pod template: the default strategy would then roll all racks at once."""
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": gateway.name, "namespace": gateway.namespace},
        "spec": {"updateStrategy": {"type": "OnDelete"}},
    }
