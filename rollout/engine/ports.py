"""What the engine needs from the world, as small Protocols. Adapters implement them; the CLI wires them.

Every method observes or makes one thing true; all raise :class:`rollout.errors.RackrollError` subclasses
(``Unreachable`` when the far end does not answer, ``StepFailed`` when it answers and refuses).
``run`` is the run id that marks what we own: only marks of that run are ever removed.
Methods are called from two threads, the executor's and the sampler's: an adapter that keeps one session
per far end guards it with a lock.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from rollout.engine.trust import MeshTrust
from rollout.errors import Unreachable
from rollout.model.mesh import ChartSource, Gateway
from rollout.model.observed import AgentState, ChartState, NodeBoot, NodeState, ProbeResult, ProxyState
from rollout.model.policy import AlertSource
from rollout.model.rights import Right
from rollout.model.role import ChartStep as ChartStep
from rollout.model.role import Json as Json
from rollout.model.role import SubjectRole as SubjectRole
from rollout.model.site import Address, Node, Site, Switch
from rollout.model.snapshot import Serving
from rollout.model.workload import Budget, NodeImages, PodState


@dataclass(frozen=True, slots=True)
class HostOutcome:
    """One host after a pyinfra job: operations that changed it, by name; empty means it was as it should be."""

    node: str
    changed: tuple[str, ...]
    error: str | None = None


@dataclass(frozen=True, slots=True)
class CommandOutcome:
    """What a command of the site's own left behind. ``output`` is the end of both streams, for people.

    ``sent``: by this machine's clock, after the login, which may have taken longer than the command; None: not known.
    """

    exit_code: int
    output: str
    sent: datetime | None = field(default=None, compare=False)


class Hosts(Protocol):
    def configure(self, nodes: Sequence[Node], *, dry_run: bool) -> tuple[HostOutcome, ...]: ...


class Commands(Protocol):
    """Runs the site's own commands. Never through a local shell; every argument is quoted for the far one."""

    def run(self, host: str, argv: Sequence[str], within: timedelta | None = None) -> CommandOutcome:
        """``host`` is a node, a control-plane host, or ``local``. Raises Unreachable if it does not answer.

        ``within`` is for short questions: a host that takes one and is silent for longer does not answer.
        """
        ...


@dataclass(frozen=True, slots=True)
class SwitchChange:
    """Diff lines as ``+ line`` / ``- line``; empty means the switch already is as intended."""

    switch: str
    diff: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PeerState:
    address: Address
    established: bool
    bfd_up: bool | None  # None where BFD is not configured


class Switches(Protocol):
    def diff(self, switch: Switch) -> SwitchChange: ...
    def apply(self, switch: Switch) -> SwitchChange: ...
    def next_hops(self, switch: Switch, vip: Address) -> frozenset[Address]: ...
    def peers(self, switch: Switch) -> tuple[PeerState, ...]: ...


@dataclass(frozen=True, slots=True)
class ChartRequest:
    source: ChartSource
    release: str
    namespace: str
    chart: str
    version: str
    values: Json


class Charts(Protocol):
    def remove(self, namespace: str, release: str) -> bool:
        """False if it was not there."""
        ...

    def releases(self) -> tuple[ChartState, ...]: ...
    def install(self, request: ChartRequest) -> ChartState:
        """Deployed at that version when it returns; a release that an interrupted run left pending is recovered."""
        ...


class Cluster(Protocol):
    """The Kubernetes API, in the product's words. Reads of one node ask for no other: steps repeat them often."""

    def version(self) -> str: ...
    def nodes(self, name: str | None = None) -> tuple[NodeState, ...]:
        """All of them, or the one of that name if it is there."""
        ...

    def boot(self, node: str) -> NodeBoot | None:
        """None if there is no such node, as while one that rebooted registers anew."""
        ...

    def proxies(self, node: str | None = None) -> tuple[ProxyState, ...]: ...
    def ready_gateway_nodes(self, gateway: Gateway) -> frozenset[str]: ...
    def apply(self, objects: Sequence[Json]) -> int:
        """Server-side; how many of them were not so yet."""
        ...

    def deployment_ready(self, namespace: str, name: str) -> tuple[bool, str]: ...
    def cordon(self, node: str, run: str) -> None: ...
    def uncordon(self, node: str, run: str) -> None:
        """The owner mark stays while the exclude label of the same run does."""
        ...

    def exclude(self, node: str, run: str) -> None: ...
    def include(self, node: str, run: str) -> None:
        """The owner mark stays while the cordon of the same run does."""
        ...

    def evict(self, namespace: str, pod: str) -> bool:
        """True once accepted; False while a PodDisruptionBudget says not yet (HTTP 429)."""
        ...

    def delete_pod(self, namespace: str, pod: str) -> None: ...
    def agents(self, node: str | None = None, subject: str | None = None) -> tuple[AgentState, ...]:
        """Pods of every component that the site's roles name in ``agents()``, and kubelets as subject kubernetes.

        With ``subject`` only that one's are asked for.
        """
        ...

    def evictable(self, node: str) -> Mapping[tuple[str, str], bool]:
        """(namespace, pod) of what a drain would evict, and whether it is leaving already, in that order.

        No DaemonSet pods, no mirror pods, nothing finished.
        """
        ...

    def set_partition(self, namespace: str, statefulset: str, partition: int) -> None:
        """``spec.updateStrategy`` is RollingUpdate with this partition (pods with a lower ordinal stay)."""
        ...

    def fail_gateway_health(self, namespace: str, pod: str) -> None:
        """The role's command for it, in the pod, by exec; nothing where the proxy has none."""
        ...

    def pass_gateway_health(self, namespace: str, pod: str) -> None:
        """Undoes :meth:`fail_gateway_health`."""
        ...


class Probe(Protocol):
    def fetch(self, gateway: Gateway, samples: int) -> ProbeResult: ...


class Certificates(Protocol):
    def serving(self, gateway: Gateway) -> Serving:
        """The leaf that the VIP shows outside; without one (plain HTTP) it says so. Never verifies it."""
        ...


class NoCertificates:
    """For worlds where nobody can ask a VIP for its certificate."""

    def serving(self, gateway: Gateway) -> Serving:
        return Serving(gateway.name, None, "nobody here can ask for it")


class Workloads(Protocol):
    """Pods, their budgets, their images. Gates ask before every node, so each method is one request."""

    def pods(self, node: str | None = None) -> tuple[PodState, ...]:
        """Everything that runs, on one node or (None) in the whole cluster, in namespace and name order."""
        ...

    def budgets(self) -> tuple[Budget, ...]: ...
    def images(self, node: str) -> NodeImages: ...


class Rights(Protocol):
    def missing(self) -> tuple[Right, ...]:
        """Of what a run asks of the Kubernetes API, what our user may not do in every namespace."""
        ...


class Metrics(Protocol):
    def series(self, source: AlertSource) -> tuple[Mapping[str, str], ...]:
        """The labels of every series that the query returns now. Raises Unreachable for anything but an answer."""
        ...


@dataclass(frozen=True, slots=True)
class Signed:
    """One signature of a plan's id. ``key`` is its fingerprint; ``rejected`` says why it does not count."""

    principal: str
    key: str
    rejected: str = ""


class Signers(Protocol):
    def signed(self, plan_id: str) -> tuple[Signed, ...]:
        """Every signature kept for this plan, each verified now: keys expire and are revoked."""
        ...


class NoSigners:
    """Nobody has signed anything here: what must be signed is refused."""

    def signed(self, plan_id: str) -> tuple[Signed, ...]:
        del plan_id
        return ()


class NoWorkloads:
    """For worlds without pods to look at (a simulation); checks that need them say so and stay open."""

    def pods(self, node: str | None = None) -> tuple[PodState, ...]:
        del node
        return ()

    def budgets(self) -> tuple[Budget, ...]:
        return ()

    def images(self, node: str) -> NodeImages:
        del node
        return NodeImages(frozenset())


class NoRights:
    """For worlds without users (a simulation)."""

    def missing(self) -> tuple[Right, ...]:
        return ()


class NoMetrics:
    """Asked although nobody wired a reader: that is no answer, and not a quiet site."""

    def series(self, source: AlertSource) -> tuple[Mapping[str, str], ...]:
        raise Unreachable("nothing here reads metrics", where=source.url)


class NoCommands:
    """For worlds that run no commands of the site's own; asked to, it is a bug in the wiring."""

    def run(self, host: str, argv: Sequence[str], within: timedelta | None = None) -> CommandOutcome:
        raise NotImplementedError(f"no commands here: {host} {argv}")


@dataclass(frozen=True, slots=True)
class World:
    """Everything the engine may touch, for one site."""

    site: Site
    hosts: Hosts
    switches: Switches
    charts: Charts
    cluster: Cluster
    probe: Probe
    roles: Mapping[str, SubjectRole]
    commands: Commands = field(default_factory=NoCommands)
    certificates: Certificates = field(default_factory=NoCertificates)
    workloads: Workloads = field(default_factory=NoWorkloads)
    metrics: Metrics = field(default_factory=NoMetrics)
    signers: Signers = field(default_factory=NoSigners)
    rights: Rights = field(default_factory=NoRights)
    trust: Mapping[str, MeshTrust] = field(default_factory=dict)
    """By mesh name: those whose roots this site can rotate."""
