"""What checks are told. A fact that could not be had is ``Unknown`` and says who did not answer: never a zero."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from rollout.model.clock import Tracking
from rollout.model.observed import NodeState, ProbeResult
from rollout.model.policy import Policy
from rollout.model.rights import Right
from rollout.model.site import Address
from rollout.model.workload import Budget, Conntrack, NodeImages, PodState


@dataclass(frozen=True, slots=True)
class Unknown:
    """The far end did not answer; ``detail`` names it."""

    detail: str


@dataclass(frozen=True, slots=True)
class Absent:
    """There is nothing to ask, because the site says so or because this world is a simulation: not a silence."""

    detail: str


NOT_ASKED = Unknown("not asked")


@dataclass(frozen=True, slots=True)
class GatewayFacts:
    """One VIP. ``nodes`` should serve it; ``routed`` are next-hops at their own ToR, ``ready`` have a Ready pod."""

    gateway: str
    vip: Address
    nodes: frozenset[str]
    routed: frozenset[str] | Unknown
    ready: frozenset[str] | Unknown
    probe: ProbeResult | Unknown


@dataclass(frozen=True, slots=True)
class ClockFacts:
    """One host's clock. ``rack`` is empty for a control-plane host."""

    host: str
    rack: str
    tracking: Tracking | Unknown


@dataclass(frozen=True, slots=True)
class SkewFacts:
    """One host's wall clock minus this machine's, known to within ``error`` (half of the time that asking took)."""

    host: str
    skew: timedelta | Unknown
    error: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True)
class TableFacts:
    """One host's connection table."""

    host: str
    table: Conntrack | Unknown


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """``wanted`` are the images, at the version that runs and at the one to come, of what moves on this node."""

    node: str
    wanted: tuple[str, ...]
    found: NodeImages | Unknown


@dataclass(frozen=True, slots=True)
class InjectionFacts:
    """A mesh's workload pods, and the proxy versions that have a reason to be there (None: any)."""

    mesh: str
    pods: tuple[PodState, ...]
    versions: frozenset[str] | None


Alerts = tuple[Mapping[str, str], ...]


@dataclass(frozen=True, slots=True)
class Facts:
    """``run`` asks: what it took out itself is not held against it. ``node`` is the one about to move.

    Without a node the question is about the whole site. ``leaving`` are the pods that the move would evict, in
    order; ``break_glass`` is the reason that somebody gave for moving anyway; ``rights`` are those that are missing.
    """

    run: str
    node: str | None
    gateways: tuple[GatewayFacts, ...]
    nodes: tuple[NodeState, ...] | Unknown
    policy: Policy = field(default_factory=Policy)
    now: datetime = datetime(1970, 1, 1, tzinfo=UTC)
    break_glass: str = ""
    alerts: Alerts | Unknown | Absent = NOT_ASKED
    max_offset: timedelta = timedelta(milliseconds=50)
    clocks: tuple[ClockFacts, ...] | Absent = ()
    skews: tuple[SkewFacts, ...] | Absent = ()
    tables: tuple[TableFacts, ...] | Absent = ()
    leaving: tuple[PodState, ...] | Unknown | Absent = NOT_ASKED
    budgets: tuple[Budget, ...] | Unknown = NOT_ASKED
    images: tuple[ImageFacts, ...] | Unknown | Absent = NOT_ASKED
    injection: tuple[InjectionFacts, ...] | Unknown | Absent = NOT_ASKED
    rights: tuple[Right, ...] | Unknown | Absent = NOT_ASKED

    @property
    def begun(self) -> bool:
        """The node is out already, and this run took it out: it is better brought back than left where it is."""
        if isinstance(self.nodes, Unknown) or not self.run:
            return False
        state = next((node for node in self.nodes if node.name == self.node), None)
        return state is not None and state.owner == self.run and (state.cordoned or state.excluded)
