"""A small site whose hosts, pods and metrics answer what a test says, and what checks make of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import cast

from rollout.checks.catalogue import catalogue
from rollout.engine.aims import aims
from rollout.engine.check import check_site
from rollout.engine.clock import Tempo
from rollout.engine.ports import CommandOutcome, World
from rollout.model.gate import Finding
from rollout.model.plan import Options, Plan, PlanKind, Stage, Target, Wave
from rollout.model.policy import AlertSource, Freeze, Policy
from rollout.model.proof import Proof
from rollout.model.site import Site
from rollout.model.step import Evict, Step
from rollout.model.workload import Budget, NodeImages, PodState
from tests.unit.fake_vitals import TABLE, tracking
from tests.unit.fake_world import running
from tests.unit.sites import site as small_site

SHUT = Policy(freezes=(Freeze(datetime(2000, 1, 1, tzinfo=UTC), datetime(2190, 1, 1, tzinfo=UTC), "always"),))
NO_PATIENCE = Tempo(gate_patience=timedelta(0), sample_every=None)


@dataclass
class Spoken:
    """Hosts that answer what a test says; an exception is raised instead."""

    clock: str | Exception = field(default_factory=tracking)
    table: str | Exception = TABLE
    code: int = 0
    asked: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)

    def run(self, host: str, argv: Sequence[str], within: timedelta | None = None) -> CommandOutcome:
        del within
        self.asked.append((host, tuple(argv)))
        answer = self.clock if "chronyc" in argv else self.table
        if isinstance(answer, Exception):
            raise answer
        return CommandOutcome(self.code, answer)


@dataclass
class Shelf:
    """Pods, budgets and images as a test says; counts what is asked."""

    found: tuple[PodState, ...] = ()
    guards: tuple[Budget, ...] = ()
    pulled: NodeImages = field(default_factory=lambda: NodeImages(frozenset()))
    asked: list[str] = field(default_factory=list)

    def pods(self, node: str | None = None) -> tuple[PodState, ...]:
        self.asked.append(f"pods {node}")
        return tuple(pod for pod in self.found if node in (None, pod.node))

    def budgets(self) -> tuple[Budget, ...]:
        self.asked.append("budgets")
        return self.guards

    def images(self, node: str) -> NodeImages:
        self.asked.append(f"images {node}")
        return self.pulled


@dataclass
class Prometheus:
    firing: tuple[Mapping[str, str], ...] | Exception = ()
    asked: int = 0

    def series(self, source: AlertSource) -> tuple[Mapping[str, str], ...]:
        del source
        self.asked += 1
        if isinstance(self.firing, Exception):
            raise self.firing
        return self.firing


def pod(name: str, node: str = "r1n1", version: str | None = "1.30.3", **changes: object) -> PodState:
    proxy = ("istio", version) if version else None
    images = (f"istio/proxyv2:{version}-distroless",) if version else ("shop/cart:7",)
    base = PodState("shop", name, node, {"app": name}, images=images, proxy=proxy)
    return replace(base, **changes)  # type: ignore[arg-type]


def world(policy: Policy | None = None, **ports: object) -> World:
    site: Site = replace(small_site(), policy=policy or Policy())
    _, base = running(site)
    made = {"commands": Spoken(), "workloads": Shelf(), "metrics": Prometheus(), **ports}
    return replace(base, **made)  # type: ignore[arg-type]


def found(id: str, made: World, node: str | None = "r1n1", plan: Plan | None = None) -> Finding:
    (finding,) = check_site(made, [catalogue()[id]], node, aims(plan) if plan else None)
    return finding


def plan(*steps: Step, before: str = "1.30.3", after: str = "1.31.1", reason: str = "") -> Plan:
    wave = Wave("1", ("r1",), (Stage("nodes", steps),))
    target = (Target("istio", before, after),)
    proof = cast(Proof, None)  # no gate reads it
    return Plan(
        "id", PlanKind.UPGRADE, "small", "", "", target, (wave,), proof, options=Options(break_glass=reason)
    )


EVICT = Step("e", Evict("r1n1", "istio", "1.31.1"), node="r1n1")
