"""A rack in memory, with its own clock: gateways, routes, evictions, and the delays between them.

It behaves as the real thing is known to where the engine could get it wrong: a route follows its cause only
after a while, a pod that terminates keeps being announced while it serves, a DaemonSet brings a gateway back
at the version the charts now say, and a probe that lands on a next-hop without a serving pod is lost.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from threading import Event

from roles.istio.role import IstioRole
from roles.metallb.role import MetalLbRole
from rollout.engine.clock import Tempo
from rollout.engine.ports import (
    ChartRequest,
    HostOutcome,
    Json,
    PeerState,
    SubjectRole,
    SwitchChange,
    World,
)
from rollout.errors import Unreachable
from rollout.model.observed import AgentState, ChartState, NodeState, ProbeResult, ProxyState
from rollout.model.site import Address, Gateway, Node, Site, Switch

BGP = 0.15
START = 0.6
TERMINATE = 0.4
TEMPO = Tempo(sample_every=None, gate_probes=3)


@dataclass(slots=True)
class Pod:
    name: str
    node: str
    version: str
    gateway: str | None
    ready_at: float
    gone_at: float | None = None
    failing: bool = False

    def serves(self, now: float) -> bool:
        return now >= self.ready_at and (self.gone_at is None or now < self.gone_at)


def idle() -> None:
    """No accident happens. A function and not a lambda: crash tests pickle the rack."""


@dataclass(slots=True)
class FakeRack:
    """The state and the clock. ``lowest`` is the fewest next-hops any VIP had after it first had them all."""

    site: Site
    time: float = 0.0
    nodes: dict[str, NodeState] = field(default_factory=dict)
    pods: dict[str, Pod] = field(default_factory=dict)
    charts: dict[tuple[str, str], ChartState] = field(default_factory=dict)
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
    serial: int = 0
    each_tick: Callable[[], object] = idle
    configured: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        for node in self.site.nodes:
            self.nodes[node.name] = NodeState(node.name, True, False, False, None)

    def now(self) -> float:
        return self.time

    def wait(self, stop: Event, seconds: float) -> bool:
        end = self.time + seconds
        while self.time < end - 1e-9 and not stop.is_set():
            self.time = min(end, self.time + 0.05)
            self.settle()
            self.each_tick()
        return stop.is_set()

    def install_all(self, version: str) -> None:
        """Skip bringup: everything runs at ``version`` and every route is there."""
        for role in roles(self.site).values():
            for chart in role.charts():
                v = self.site.metallb.version if role.name == "metallb" else version
                state = ChartState(chart.release, chart.namespace, chart.chart, v, "deployed", 1)
                self.charts[chart.namespace, chart.release] = state
        self.configured = {switch.name for switch in self.site.switches}
        self.on_delete = True
        for node in self.site.nodes:
            self.start(node.name, None)
        for gateway in self.site.gateways:
            for node in self.site.gateway_nodes:
                self.start(node.name, gateway.name)
        self.wait(Event(), 5)

    def start(self, node: str, gateway: str | None) -> None:
        self.serial += 1
        name = f"{gateway or 'app'}-{self.serial}"
        self.pods[name] = Pod(name, node, self.control(), gateway, self.time + self.start_takes)

    def control(self) -> str:
        return self.charts["istio-system", "istiod"].version

    def settle(self) -> None:
        for pod in [p for p in self.pods.values() if p.gone_at is not None and self.time >= p.gone_at]:
            del self.pods[pod.name]
            self.start(pod.node if pod.gateway else self._elsewhere(pod.node), pod.gateway)
        for gateway in self.site.gateways:
            for node in self.site.gateway_nodes:
                self._route(gateway, node)
        self._measure()

    def _elsewhere(self, node: str) -> str:
        free = [n for n in self.nodes.values() if not n.cordoned and n.name != node]
        return free[0].name if free else node

    def _route(self, gateway: Gateway, node: Node) -> None:
        key = gateway.name, node.name
        pods = [p for p in self.pods.values() if p.gateway == gateway.name and p.node == node.name]
        wanted = (
            self.site.rack(node.rack).switch.name in self.configured
            and not self.nodes[node.name].excluded
            and any(p.serves(self.time) for p in pods)
        )
        if wanted == self.rib.get(key, False):
            self.changing.pop(key, None)
        elif self.time >= self.changing.setdefault(key, self.time + self.bgp):
            self.rib[key] = wanted
            del self.changing[key]

    def _measure(self) -> None:
        counts = [len(self.routed(gateway)) for gateway in self.site.gateways]
        if self.lowest is not None or (counts and min(counts) == len(self.site.gateway_nodes)):
            self.lowest = min(counts) if self.lowest is None else min(self.lowest, *counts)

    def routed(self, gateway: Gateway) -> set[str]:
        return {node for (g, node), there in self.rib.items() if g == gateway.name and there}

    def evict(self, pod: str) -> None:
        self.pods[pod].gone_at = self.time + TERMINATE
        self.log.append(f"evict {pod} at {self.pods[pod].version}")

    def marked(self) -> list[str]:
        return [n.name for n in self.nodes.values() if n.cordoned or n.excluded or n.owner]

    def check(self, name: str) -> None:
        if name in self.silent:
            raise Unreachable("did not answer", where=name, hint="look at it")


@dataclass(slots=True)
class FakeHosts:
    rack: FakeRack
    done: set[str] = field(default_factory=set)

    def configure(self, nodes: Sequence[Node], *, dry_run: bool) -> tuple[HostOutcome, ...]:
        outcomes = tuple(HostOutcome(n.name, () if n.name in self.done else ("sysctl",)) for n in nodes)
        if not dry_run:
            self.done |= {node.name for node in nodes}
        return outcomes


@dataclass(slots=True)
class FakeSwitches:
    rack: FakeRack

    def diff(self, switch: Switch) -> SwitchChange:
        self.rack.check(switch.name)
        return SwitchChange(switch.name, () if switch.name in self.rack.configured else ("+ neighbor",))

    def apply(self, switch: Switch) -> SwitchChange:
        change = self.diff(switch)
        self.rack.configured.add(switch.name)
        return change

    def next_hops(self, switch: Switch, vip: Address) -> frozenset[Address]:
        self.rack.check(switch.name)
        gateway = next(g for g in self.rack.site.gateways if g.vip == vip)
        there = self.rack.routed(gateway)
        nodes = self.rack.site.rack(switch.rack).nodes
        return frozenset(node.fabric_address for node in nodes if node.name in there)

    def peers(self, switch: Switch) -> tuple[PeerState, ...]:
        up = ("metallb-system", "metallb") in self.rack.charts
        nodes = self.rack.site.rack(switch.rack).nodes
        return tuple(PeerState(node.fabric_address, up, up) for node in nodes if node.gateway)


@dataclass(slots=True)
class FakeCharts:
    rack: FakeRack

    def releases(self) -> tuple[ChartState, ...]:
        return tuple(self.rack.charts.values())

    def remove(self, namespace: str, release: str) -> bool:
        self.rack.log.append(f"remove {release}")
        return self.rack.charts.pop((namespace, release), None) is not None

    def install(self, request: ChartRequest) -> ChartState:
        key = request.namespace, request.release
        before = self.rack.charts.get(key)
        if before is not None and before.version == request.version:
            return before
        revision = before.revision + 1 if before else 1
        state = ChartState(
            request.release, request.namespace, request.chart, request.version, "deployed", revision
        )
        self.rack.charts[key] = state
        self.rack.log.append(f"install {request.release} {request.version}")
        if request.chart == "gateway":
            self._roll(request.release, first=before is None)
        return state

    def _roll(self, gateway: str, *, first: bool) -> None:
        """A DaemonSet appears everywhere at once, and an upgrade rolls at once unless it is OnDelete."""
        if first:
            for node in self.rack.site.gateway_nodes:
                self.rack.start(node.name, gateway)
        elif not self.rack.on_delete:
            for pod in [p for p in self.rack.pods.values() if p.gateway == gateway]:
                self.rack.evict(pod.name)


@dataclass(slots=True)
class FakeCluster:
    rack: FakeRack

    def version(self) -> str:
        self.rack.check("kubernetes")
        return "1.35.2"

    def nodes(self) -> tuple[NodeState, ...]:
        self.rack.check("kubernetes")
        return tuple(self.rack.nodes.values())

    def proxies(self) -> tuple[ProxyState, ...]:
        now = self.rack.time
        return tuple(
            ProxyState(
                pod=p.name,
                namespace="istio-ingress" if p.gateway else "shop",
                node=p.node,
                mesh="istio",
                version=p.version,
                gateway=p.gateway,
                ready=p.serves(now) and p.gone_at is None and not p.failing,
                terminating=p.gone_at is not None,
            )
            for p in self.rack.pods.values()
        )

    def ready_gateway_nodes(self, gateway: Gateway) -> frozenset[str]:
        self.rack.check("kubernetes")
        return frozenset(p.node for p in self.proxies() if p.gateway == gateway.name and p.ready and p.node)

    def apply(self, objects: Sequence[Json]) -> None:
        self.rack.on_delete |= any(o["kind"] == "DaemonSet" for o in objects)

    def deployment_ready(self, namespace: str, name: str) -> tuple[bool, str]:
        del namespace, name
        return True, ""

    def cordon(self, node: str, run: str) -> None:
        self._mark(node, cordoned=True, owner=run)

    def uncordon(self, node: str, run: str) -> None:
        assert self.rack.nodes[node].owner == run, "only our own cordon is ever removed"
        self._mark(node, cordoned=False)

    def exclude(self, node: str, run: str) -> None:
        self._mark(node, excluded=True, owner=run)

    def include(self, node: str, run: str) -> None:
        assert self.rack.nodes[node].owner == run, "only our own label is ever removed"
        self._mark(node, excluded=False)

    def _mark(self, node: str, **marks: object) -> None:
        state = replace(self.rack.nodes[node], **marks)  # type: ignore[arg-type]
        if not state.cordoned and not state.excluded:
            state = replace(state, owner=None)
        self.rack.nodes[node] = state
        self.rack.log.append(f"mark {node} {' '.join(marks)}")

    def evict(self, namespace: str, pod: str) -> bool:
        del namespace
        if self.rack.refuse_evictions:
            self.rack.refuse_evictions -= 1
            return False
        self.rack.evict(pod)
        return True

    def delete_pod(self, namespace: str, pod: str) -> None:
        del namespace
        self.rack.evict(pod)

    def agents(self) -> tuple[AgentState, ...]:
        return ()

    def evictable(self, node: str) -> tuple[tuple[str, str], ...]:
        return tuple(("shop", p.name) for p in self.rack.pods.values() if p.node == node and not p.gateway)

    def set_partition(self, namespace: str, statefulset: str, partition: int) -> None:
        self.rack.log.append(f"partition {namespace}/{statefulset} {partition}")

    def pass_gateway_health(self, namespace: str, pod: str) -> None:
        del namespace
        self.rack.pods[pod].failing = False
        self.rack.log.append(f"restore {self.rack.pods[pod].node}")

    def fail_gateway_health(self, namespace: str, pod: str) -> None:
        del namespace
        self.rack.pods[pod].failing = True
        self.rack.log.append(f"drain {self.rack.pods[pod].node}")


@dataclass(slots=True)
class FakeProbe:
    rack: FakeRack

    def fetch(self, gateway: Gateway, samples: int) -> ProbeResult:
        self.rack.check("probe")
        hops = sorted(self.rack.routed(gateway))
        pods = [p for p in self.rack.pods.values() if p.gateway == gateway.name]
        good = {p.node for p in pods if p.serves(self.rack.time)}
        ok = sum(1 for i in range(samples) if hops and hops[i % len(hops)] in good)
        self.rack.lost += samples - ok
        return ProbeResult(gateway.vip, samples, ok)


def roles(site: Site) -> dict[str, SubjectRole]:
    return {"metallb": MetalLbRole(site), **{mesh.name: IstioRole(site, mesh) for mesh in site.meshes}}


def world(rack: FakeRack) -> World:
    return World(
        site=rack.site,
        hosts=FakeHosts(rack),
        switches=FakeSwitches(rack),
        charts=FakeCharts(rack),
        cluster=FakeCluster(rack),
        probe=FakeProbe(rack),
        roles=roles(rack.site),
    )


def running(site: Site, version: str = "1.30.3") -> tuple[FakeRack, World]:
    rack = FakeRack(site)
    rack.install_all(version)
    return rack, world(rack)
