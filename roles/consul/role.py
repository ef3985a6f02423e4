"""Consul as a subject of the engine.

Upstream's order (developer.hashicorp.com consul/docs/upgrade/k8s, "Upgrade Consul servers"): a snapshot, the chart with
``server.updatePartition`` equal to the replicas, then the partition lowered one by one, each step waiting for a healthy
server, then gateways and workloads restarted. The chart moves consul-k8s's control plane at once; it may restart until
every server has moved, which upstream says is harmless, so it is waited for only after the servers. Servers, control
plane and dataplane have three numbers; the site's ``releases`` say which belong together. Servers are never
downgraded: their data is not readable backwards.
"""

from __future__ import annotations

from roles.charted import Charted, goes_down, on_top, unknown_chart
from roles.consul.trust import way
from roles.consul.values import NAME, api_gateway, consul_values
from roles.pins import carried_by, pin_of
from rollout.model.mesh import Mesh
from rollout.model.recipe import (
    ChartsStage,
    CommandStage,
    NodesStage,
    NoRecipe,
    Recipe,
    RecipeStage,
    RestartProxies,
    ServersStage,
)
from rollout.model.role import AgentKind, ChartStep, Json, ProxyKind
from rollout.model.site import Site
from rollout.model.trust import TrustWay

CHART = "consul"
SERVERS = f"{NAME}-server"
INJECTOR = f"{NAME}-connect-injector"
GATEWAY_NAME = "gateway.consul.hashicorp.com/name"
LOCAL = "local"
GATEWAYS = "gateways"
RERENDER = (
    "an API gateway's Deployment is rendered anew only when its ports, resources or replicas change: one that comes "
    "back with the old dataplane holds the run; delete that Deployment and resume [consul-k8s api-gateway/gatekeeper]"
)


class ConsulRole(Charted):
    """Implements :class:`rollout.model.role.SubjectRole` for one Consul mesh of one site."""

    def __init__(self, site: Site, mesh: Mesh) -> None:
        super().__init__(mesh.name, "consul", mesh.charts, (mesh.namespace, CHART))
        self._site = site
        self._mesh = mesh

    def charts(self) -> tuple[ChartStep, ...]:
        return (ChartStep("control-plane", CHART, self._mesh.namespace, CHART),)

    def values(self, step: ChartStep, version: str, data_plane: str | None = None) -> Json:
        """The dataplane is pinned by its own number, which follows from the Consul that it comes with."""
        if step.chart != CHART:
            raise unknown_chart(self._mesh, step)
        release = pin_of(self._mesh, version)
        proxies = self.component_version("dataplane", data_plane or version)
        return on_top(self._mesh, CHART, consul_values(self._site, self._mesh, release, proxies))

    def chart_version(self, step: ChartStep, version: str) -> str:
        del step
        return pin_of(self._mesh, version).chart

    def carried(self, step: ChartStep, chart: str) -> str:
        """A chart that no release names is shown as such: it reads as no version, and nothing is planned on it."""
        del step
        return carried_by(self._mesh, chart) or f"chart-{chart}"

    def component_version(self, component: str, version: str) -> str:
        """A version that no release names stays as it is: recipes refuse it, and who only looks is not stopped."""
        release = next((pin for pin in self._mesh.releases if pin.version == version), None)
        match component:
            case "control-plane" if release:
                return release.chart
            case "dataplane" if release:
                return release.data_plane or release.chart
            case _:
                return version

    def proxies(self) -> ProxyKind:
        return ProxyKind("dataplane", "consul-dataplane", GATEWAY_NAME)

    def trust(self) -> TrustWay | None:
        return way()

    def agents(self) -> tuple[AgentKind, ...]:
        namespace, app = self._mesh.namespace, ("app", NAME)
        return (
            AgentKind("server", namespace, (app, ("component", "server")), "consul"),
            AgentKind(
                "control-plane", namespace, (app, ("component", "connect-injector")), "sidecar-injector"
            ),
        )

    def parts(self) -> tuple[str, ...]:
        return (GATEWAYS,) if self._mesh.gateways else ()

    def objects(self, part: str) -> tuple[Json, ...]:
        """A Gateway's namespace comes first: Helm makes namespaces for its own releases only."""
        if part != GATEWAYS:
            return super().objects(part)
        spaces = dict.fromkeys(gateway.namespace for gateway in self._mesh.gateways)
        namespaces = (
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in spaces
        )
        return (*namespaces, *(api_gateway(gateway) for gateway in self._mesh.gateways))

    def control_plane(self, version: str = "") -> tuple[str, str]:
        del version
        return self._mesh.namespace, INJECTOR

    def recipe(self, before: str, after: str) -> Recipe:
        self._refuse(before, after)
        stages: tuple[RecipeStage, ...] = (
            CommandStage("backup", f"back up {self.name}", (LOCAL,), self._mesh.backup),
            ChartsStage("chart", (CHART,), pin=True),
            ServersStage("servers", "server", self._mesh.namespace, SERVERS, self._mesh.servers),
            ChartsStage("control plane", (CHART,), ("control-plane",)),
            NodesStage("gateways and workloads", (RestartProxies("dataplane"),)),
        )
        notes = (RERENDER,) if self._mesh.gateways else ()
        return Recipe(self.name, self.kind, "any", before, after, stages, notes)

    def _refuse(self, before: str, after: str) -> None:
        if goes_down(before, after):
            text = (
                f"Consul servers do not go back from {before} to {after}: older ones cannot read newer data"
            )
            fix = "restore the backup into servers of the older version, by hand"
            raise NoRecipe("PLAN-BACK-01", text, fix=fix)
        if not self._mesh.backup:
            text = f"{self.name} names no backup command, and Consul's servers cannot go back without one"
            fix = f"set meshes[].backup of {self.name}: a command such as [consul, snapshot, save, FILE]"
            raise NoRecipe("PLAN-BACKUP-01", text, fix=fix)
        pin_of(self._mesh, before)
        pin_of(self._mesh, after)
