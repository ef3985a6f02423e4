"""A rack in memory, with its own clock: gateways, routes, agents, evictions, and the delays between them.

It behaves as the real thing is known to where the engine could get it wrong: a route follows its cause only
after a while, a pod that terminates keeps being announced while it serves, a DaemonSet brings a gateway back
at the version that is injected now, a speaker that restarts drops its node's routes, and a probe that lands on a
next-hop without a serving pod is lost.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import Event

from rollout.cli.world import roles_of
from rollout.errors import Unreachable
from rollout.model.mesh import Gateway
from rollout.model.observed import ChartState, NodeState
from rollout.model.role import ChartStep, Json, SubjectRole
from rollout.model.site import Node, Site
from tests.unit.fake_agents import CARRIES_TRAFFIC, Agents, is_main
from tests.unit.fake_boots import Boots

BGP = 0.15
START = 0.6
TERMINATE = 0.4
KUBERNETES = "1.35.2"
SPEAKS = frozenset({("metallb", "speaker")})


@dataclass(slots=True)
class Pod:
    """A proxy: a gateway, or an application's sidecar."""

    name: str
    node: str
    version: str
    gateway: str | None
    ready_at: float
    gone_at: float | None = None
    failing: bool = False
    mesh: str = "istio"
    namespace: str = "shop"

    def serves(self, now: float) -> bool:
        return now >= self.ready_at and (self.gone_at is None or now < self.gone_at)


def idle() -> None:
    """No accident happens. A function and not a lambda: crash tests pickle the rack."""


@dataclass(slots=True)
class FakeRack:
    """The state and the clock. ``lowest`` is the fewest next-hops any VIP had after it first had them all.

    ``pins`` and ``tags`` say what a mesh's proxies get when they start: a pin in the values of its main chart, or
    where its tag points; without either the version of its control plane.
    """

    site: Site
    time: float = 0.0
    nodes: dict[str, NodeState] = field(default_factory=dict)
    pods: dict[str, Pod] = field(default_factory=dict)
    charts: dict[tuple[str, str], ChartState] = field(default_factory=dict)
    values: dict[tuple[str, str], object] = field(default_factory=dict)
    rib: dict[tuple[str, str], bool] = field(default_factory=dict)
    changing: dict[tuple[str, str], float] = field(default_factory=dict)
    lowest: int | None = None
    lost: int = 0
    log: list[str] = field(default_factory=list)
    silent: set[str] = field(default_factory=set)
    refuse_evictions: int = 0
    bgp: float = BGP
    start_takes: float = START
    on_delete: bool = False
    applied: dict[tuple[str, str | None, str], Json] = field(default_factory=dict)
    serial: int = 0
    each_tick: Callable[[], object] = idle
    configured: set[str] = field(default_factory=set)
    pins: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    kubernetes: str = KUBERNETES
    hosts: dict[str, str] = field(default_factory=dict)
    back_at: dict[str, float] = field(default_factory=dict)
    exit_codes: dict[str, int] = field(default_factory=dict)
    boots: Boots = field(default_factory=Boots)
    agents: Agents = field(init=False)
    roles: dict[str, SubjectRole] = field(init=False)

    def __post_init__(self) -> None:
        self.roles = roles_of(self.site)
        self.agents = Agents(tuple(node.name for node in self.site.nodes))
        self.hosts = {host.name: self.kubernetes for host in self.site.kubernetes.control_plane}
        for node in self.site.nodes:
            self.nodes[node.name] = NodeState(node.name, True, False, False, None, f"v{self.kubernetes}")

    def now(self) -> float:
        return self.time

    def wait(self, stop: Event, seconds: float) -> bool:
        end = self.time + seconds
        while self.time < end - 1e-9 and not stop.is_set():
            self.time = min(end, self.time + 0.05)
            self.settle()
            self.each_tick()
        return stop.is_set()

    def install_all(self, versions: str | Mapping[str, str] = "") -> None:
        """Skip bringup: everything runs and every route is there; what is not named runs the site's version."""
        for role in self.roles.values():
            version = self._version(role, versions)
            for chart in role.charts():
                v = role.chart_version(chart, version)
                self.charted(role, chart, v, None)
        self.configured = {switch.name for switch in self.site.switches}
        self.on_delete = True
        for mesh in self.site.meshes:
            if self.roles[mesh.name].proxies():
                for node in self.site.nodes:
                    self.start(node.name, None, mesh.name)
        for gateway in self.site.gateways:
            for node in self.site.gateway_nodes:
                self.start(node.name, gateway.name)
        self.wait(Event(), 5)
        self.log.clear()

    def _version(self, role: SubjectRole, versions: str | Mapping[str, str]) -> str:
        if isinstance(versions, Mapping) and role.name in versions:
            return versions[role.name]
        meshes = {mesh.name: mesh.version for mesh in self.site.meshes}
        if isinstance(versions, str) and versions and role.name in meshes:
            return versions
        return {"metallb": self.site.metallb.version, **meshes}.get(role.name, self.kubernetes)

    def charted(
        self, role: SubjectRole, chart: ChartStep, version: str, pin: str | None, values: object = None
    ) -> ChartState:
        """A release is deployed at this chart version; what it carries follows as its kind does."""
        key = chart.namespace, chart.release
        before = self.charts.get(key)
        revision = before.revision + 1 if before else 1
        self.charts[key] = ChartState(
            chart.release, chart.namespace, chart.chart, version, "deployed", revision
        )
        self.values[key] = values
        if is_main(role, chart):
            self.pins.pop(role.name, None)
            if pin is not None:
                self.pins[role.name] = pin
        self.agents.installed(role, chart, role.carried(chart, version))
        return self.charts[key]

    def start(self, node: str, gateway: str | None, mesh: str | None = None) -> None:
        self.serial += 1
        name = f"{gateway or 'app'}-{self.serial}"
        owner = self.site.gateway(gateway).mesh if gateway else mesh or self.site.meshes[0].name
        namespace = self.site.gateway(gateway).namespace if gateway else self.site.mesh(owner).namespaces[0]
        ready = self.time + self.start_takes
        self.pods[name] = Pod(
            name, node, self.injected(owner), gateway, ready, mesh=owner, namespace=namespace
        )

    def injected(self, mesh: str) -> str:
        """What a proxy of the mesh is that starts now."""
        role = self.roles[mesh]
        kind = role.proxies()
        control = (
            self.pins.get(mesh) or self.tags.get(mesh) or role.installed_version(list(self.charts.values()))
        )
        assert kind is not None
        assert control is not None, f"{mesh} has no control plane to inject a proxy"
        return role.component_version(kind.component, control)

    def settle(self) -> None:
        for pod in [p for p in self.pods.values() if p.gone_at is not None and self.time >= p.gone_at]:
            del self.pods[pod.name]
            self.start(pod.node if pod.gateway else self._elsewhere(pod.node), pod.gateway, pod.mesh)
        self.boots.settle(list(self.pods.values()), self.time)
        self.agents.time, self.agents.start_takes = self.time, self.start_takes
        self.agents.settle()
        mute = self._down(SPEAKS)
        for gateway in self.site.gateways:
            for node in self.site.gateway_nodes:
                self._route(gateway, node, speaks=node.name not in mute)
        self._measure()

    def _elsewhere(self, node: str) -> str:
        free = [n for n in self.nodes.values() if not n.cordoned and n.name != node]
        return free[0].name if free else node

    def _route(self, gateway: Gateway, node: Node, *, speaks: bool) -> None:
        key = gateway.name, node.name
        pods = [p for p in self.pods.values() if p.gateway == gateway.name and p.node == node.name]
        wanted = (
            self.site.rack(node.rack).switch.name in self.configured
            and not self.nodes[node.name].excluded
            and speaks
            and any(p.serves(self.time) for p in pods)
        )
        if wanted == self.rib.get(key, False):
            self.changing.pop(key, None)
        elif self.time >= self.changing.setdefault(key, self.time + self.bgp):
            self.rib[key] = wanted
            del self.changing[key]

    def _down(self, shapes: frozenset[tuple[str, str]]) -> set[str]:
        return self.agents.down({name: role.kind for name, role in self.roles.items()}, shapes)

    def answers(self, gateway: Gateway, node: str) -> bool:
        """A connection that reaches the node for this gateway is answered."""
        pods = (p for p in self.pods.values() if p.gateway == gateway.name and p.node == node)
        return any(p.serves(self.time) for p in pods) and node not in self._down(CARRIES_TRAFFIC)

    def _measure(self) -> None:
        counts = [len(self.routed(gateway)) for gateway in self.site.gateways]
        if self.lowest is not None or (counts and min(counts) == len(self.site.gateway_nodes)):
            self.lowest = min(counts) if self.lowest is None else min(self.lowest, *counts)

    def routed(self, gateway: Gateway) -> set[str]:
        return {node for (g, node), there in self.rib.items() if g == gateway.name and there}

    def evict(self, pod: str) -> None:
        self.pods[pod].gone_at = self.time + TERMINATE
        self.log.append(f"evict {pod} at {self.pods[pod].version}")

    def commanded(self, host: str, version: str) -> None:
        """The site's own command has moved a kubelet or an API server; a kubelet is away for a moment."""
        if host in self.hosts:
            self.hosts[host] = version
            if set(self.hosts.values()) == {version}:
                self.kubernetes = version
        else:
            state = self.nodes[host]
            self.nodes[host] = NodeState(
                host, state.ready, state.cordoned, state.excluded, state.owner, f"v{version}"
            )
            self.back_at[host] = self.time + START

    def ready(self, node: NodeState) -> bool:
        return node.ready and self.time >= self.back_at.get(node.name, 0.0)

    def marked(self) -> list[str]:
        return [n.name for n in self.nodes.values() if n.cordoned or n.excluded or n.owner]

    def check(self, name: str) -> None:
        if name in self.silent:
            raise Unreachable("did not answer", where=name, hint="look at it")
