"""Components that are no proxies, in memory: DaemonSets that wait to be deleted, Deployments that roll, servers.

How a component runs is the product's own affair and no role tells it, so it stands here, as upstream has it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from rollout.model.observed import ChartState
from rollout.model.recipe import NoRecipe, ServersStage
from rollout.model.role import ChartStep, SubjectRole

PER_NODE = frozenset(
    {
        ("istio-ambient", "cni"),
        ("istio-ambient", "ztunnel"),
        ("cilium", "agent"),
        ("cilium", "envoy"),
        ("cilium", "preflight"),
        ("metallb", "speaker"),
    }
)
"""OnDelete DaemonSets: a chart changes their template, and a pod follows when it is deleted."""

CARRIES_TRAFFIC = frozenset({("istio-ambient", "ztunnel"), ("cilium", "agent")})
"""Without it a gateway on the same node answers nobody."""

PASSING = {"preflight": "cilium-preflight", "preflight-policies": "cilium-preflight"}
"""Components of a release that is installed only to be removed again."""

SERVERS = frozenset({("consul", "server")})
ON_HOSTS = frozenset({("kubernetes", "apiserver")})
REPLICAS = 2
START = 0.6
TERMINATE = 0.4


@dataclass(slots=True)
class Agent:
    """One pod. ``last``: when it is gone nothing comes in its place. ``ordinal`` is a StatefulSet's."""

    name: str
    subject: str
    component: str
    namespace: str
    version: str
    release: str
    ready_at: float
    node: str | None = None
    ordinal: int | None = None
    gone_at: float | None = None
    last: bool = False

    def serves(self, now: float) -> bool:
        return now >= self.ready_at and (self.gone_at is None or now < self.gone_at)


@dataclass(slots=True)
class Agents:
    """All of a rack's. ``templates`` is what a pod of (subject, component) is when it starts."""

    nodes: tuple[str, ...]
    time: float = 0.0
    pods: dict[str, Agent] = field(default_factory=dict)
    templates: dict[tuple[str, str], str] = field(default_factory=dict)
    partitions: dict[str, int] = field(default_factory=dict)
    deleted: list[str] = field(default_factory=list)
    start_takes: float = START
    serial: int = 0

    def installed(self, role: SubjectRole, chart: ChartStep, version: str) -> None:
        """A chart of the role has been installed or upgraded; ``version`` is the subject's that it carries."""
        for kind in role.agents():
            if not carries(role, chart, kind.component):
                continue
            self.templates[role.name, kind.component] = role.component_version(kind.component, version)
            there = [
                p for p in self.of(role.name, kind.component) if p.release == chart.release and not p.last
            ]
            shape = (role.kind, kind.component)
            if shape in SERVERS:
                self._servers(role, kind.component, kind.namespace, chart, version)
            elif shape in PER_NODE:
                if not there:
                    for node in self.nodes:
                        self._start(role.name, kind.component, kind.namespace, chart.release, node=node)
            elif not there or any(p.version != self.templates[role.name, kind.component] for p in there):
                self._roll(role.name, kind.component, kind.namespace, chart.release, there)

    def removed(self, release: str) -> None:
        for pod in self.pods.values():
            if pod.release == release:
                self._leave(pod, last=True)

    def delete(self, name: str) -> None:
        self.deleted.append(f"{name} at {self.pods[name].version}")
        self._leave(self.pods[name])

    def set_partition(self, workload: str, partition: int) -> None:
        self.partitions[workload] = partition

    def settle(self) -> None:
        for pod in [p for p in self.pods.values() if p.gone_at is not None and self.time >= p.gone_at]:
            del self.pods[pod.name]
            if not pod.last:
                self._again(pod)
        for workload, partition in self.partitions.items():
            self._walk(workload, partition)

    def of(self, subject: str, component: str) -> list[Agent]:
        return [p for p in self.pods.values() if (p.subject, p.component) == (subject, component)]

    def down(self, kind_of: dict[str, str], shapes: frozenset[tuple[str, str]]) -> set[str]:
        """Nodes where an agent of one of these shapes does not serve; ``kind_of`` maps subjects to kinds."""
        return {
            p.node
            for p in self.pods.values()
            if p.node and (kind_of.get(p.subject, ""), p.component) in shapes and not p.serves(self.time)
        }

    def _start(self, subject: str, component: str, namespace: str, release: str, **place: object) -> Agent:
        self.serial += 1
        ordinal = place.get("ordinal")
        name = f"{component}-{self.serial}" if ordinal is None else f"{place.pop('workload')}-{ordinal}"
        version = self.templates[subject, component]
        ready = self.time + self.start_takes
        pod = Agent(name, subject, component, namespace, version, release, ready, **place)  # type: ignore[arg-type]
        self.pods[name] = pod
        return pod

    def _roll(self, subject: str, component: str, namespace: str, release: str, old: list[Agent]) -> None:
        """With surge: the old replicas go once the new ones serve."""
        for _ in range(REPLICAS):
            self._start(subject, component, namespace, release)
        for pod in old:
            pod.gone_at, pod.last = self.time + self.start_takes + TERMINATE, True

    def _servers(
        self, role: SubjectRole, component: str, namespace: str, chart: ChartStep, version: str
    ) -> None:
        stage = _server_stage(role, version)
        if stage is None:
            return
        self.partitions[stage.workload] = stage.replicas
        if not self.of(role.name, component):
            for ordinal in range(stage.replicas):
                place = {"ordinal": ordinal, "workload": stage.workload}
                self._start(role.name, component, namespace, chart.release, **place)

    def _walk(self, workload: str, partition: int) -> None:
        """The StatefulSet controller: one pod at a time, the highest ordinal first, none below the partition."""
        pods = [p for p in self.pods.values() if p.ordinal is not None and p.name.startswith(f"{workload}-")]
        if any(p.gone_at is not None or not p.serves(self.time) for p in pods):
            return
        old = [
            p
            for p in pods
            if (p.ordinal or 0) >= partition and p.version != self.templates[p.subject, p.component]
        ]
        if old:
            self._leave(max(old, key=lambda p: p.ordinal or 0))

    def _leave(self, pod: Agent, *, last: bool = False) -> None:
        if pod.gone_at is None:
            pod.gone_at = self.time + TERMINATE
        pod.last = pod.last or last

    def _again(self, pod: Agent) -> None:
        place: dict[str, object] = {"node": pod.node}
        if pod.ordinal is not None:
            place |= {"ordinal": pod.ordinal, "workload": pod.name.rpartition("-")[0]}
        made = self._start(pod.subject, pod.component, pod.namespace, pod.release, **place)
        held = pod.ordinal is not None and pod.ordinal < self.partitions.get(pod.name.rpartition("-")[0], 0)
        if held:
            made.version = pod.version


def carries(role: SubjectRole, chart: ChartStep, component: str) -> bool:
    """Whether this chart's image is the component's: its own chart where there is one, else the main one."""
    if component in PASSING or chart.release in PASSING.values():
        return PASSING.get(component) == chart.release
    own = [c.chart for c in role.charts() if c.chart == component]
    return chart.chart == component if own else is_main(role, chart)


def is_main(role: SubjectRole, chart: ChartStep) -> bool:
    """The chart whose version is the subject's."""
    version = role.chart_version(chart, "1.30.3") if role.kind.startswith("istio") else ""
    alone = ChartState(chart.release, chart.namespace, chart.chart, version, "deployed", 1)
    return role.installed_version([alone]) is not None


def _server_stage(role: SubjectRole, version: str) -> ServersStage | None:
    return next(_server_stages(role, version), None)


def _server_stages(role: SubjectRole, version: str) -> Iterator[ServersStage]:
    try:
        stages = role.recipe(version, version).stages
    except NoRecipe:
        return
    yield from (stage for stage in stages if isinstance(stage, ServersStage))
