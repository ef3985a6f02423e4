"""The rack in memory behind the engine's ports. See :mod:`tests.unit.fake_rack` for how it behaves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, cast

from rollout.cli.world import roles_of
from rollout.engine.clock import Tempo
from rollout.engine.ports import (
    ChartRequest,
    CommandOutcome,
    HostOutcome,
    Json,
    PeerState,
    SubjectRole,
    SwitchChange,
    World,
)
from rollout.errors import StepFailed
from rollout.model.mesh import Gateway
from rollout.model.observed import ChartState, ProbeResult
from rollout.model.role import ChartStep
from rollout.model.site import Address, Node, Site, Switch
from tests.unit.fake_cluster import FakeCluster as FakeCluster
from tests.unit.fake_rack import BGP as BGP
from tests.unit.fake_rack import FakeRack as FakeRack
from tests.unit.fake_rack import Pod as Pod
from tests.unit.fake_vitals import vital

TEMPO = Tempo(sample_every=None, gate_probes=3)
PIN = "rackroll-test-pin"
"""Added to the values of every chart, so that the rack need not know each mesh's own lever."""


class Told:
    """A role that also says in its values which data plane is pinned."""

    def __init__(self, role: SubjectRole) -> None:
        self._role = role

    def __getattr__(self, name: str) -> Any:
        return getattr(self._role, name)

    def values(self, step: ChartStep, version: str, data_plane: str | None = None) -> Json:
        return {**self._role.values(step, version, data_plane), PIN: data_plane}


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
        if self.rack.charts.pop((namespace, release), None) is None:
            return False
        self.rack.log.append(f"remove {release}")
        self.rack.agents.removed(release)
        return True

    def install(self, request: ChartRequest) -> ChartState:
        key = request.namespace, request.release
        before = self.rack.charts.get(key)
        known = self.rack.values.get(key)
        same = known in (None, dict(request.values)) and (
            known is not None or request.values.get(PIN) is None
        )
        if before is not None and (before.version, before.status) == (request.version, "deployed") and same:
            return before
        role, step = self._whose(request)
        state = self.rack.charted(role, step, request.version, request.values.get(PIN), dict(request.values))
        self.rack.log.append(f"install {request.release} {request.version}")
        if step.stage == "gateways":
            self._roll(request.release, first=before is None)
        return state

    def _whose(self, request: ChartRequest) -> tuple[SubjectRole, ChartStep]:
        wanted = request.namespace, request.release, request.chart
        for role in self.rack.roles.values():
            try:
                step = role.chart(request.release)
            except KeyError:
                continue
            if (step.namespace, step.release, step.chart) == wanted:
                return role, step
        raise StepFailed(f"no role has a release {request.namespace}/{request.release}")

    def _roll(self, gateway: str, *, first: bool) -> None:
        """A DaemonSet appears everywhere at once, and an upgrade rolls at once unless it is OnDelete."""
        if first:
            for node in self.rack.site.gateway_nodes:
                self.rack.start(node.name, gateway)
        elif not self.rack.on_delete:
            for pod in [p for p in self.rack.pods.values() if p.gateway == gateway]:
                self.rack.evict(pod.name)


@dataclass(slots=True)
class FakeCommands:
    """Moves what the site's own upgrade commands move; ``exit_codes`` by host make one fail."""

    rack: FakeRack

    def run(self, host: str, argv: Sequence[str], within: timedelta | None = None) -> CommandOutcome:
        del within
        self.rack.check(host)
        booting = self.rack.boots.answer(host, argv, self.rack.time)
        if booting is not None:
            return booting
        reading = vital(argv)
        if reading is not None:
            return CommandOutcome(0, reading)
        self.rack.log.append(f"run on {host}: {' '.join(argv)}")
        code = self.rack.exit_codes.get(host, 0)
        kubernetes = self.rack.site.kubernetes
        for template in (kubernetes.upgrade_control_plane, kubernetes.upgrade_node):
            version = _asked(template, argv)
            if version and not code:
                self.rack.commanded(host, version.removeprefix("v"))
        return CommandOutcome(code, "it did not work" if code else "done")


def _asked(template: Sequence[str], argv: Sequence[str]) -> str:
    """The version in a command that is the template with one put in; empty for any other command."""
    if len(template) != len(argv):
        return ""
    for part, word in zip(template, argv, strict=True):
        if "{version}" in part:
            head, _, tail = part.partition("{version}")
            return word.removeprefix(head).removesuffix(tail)
    return ""


@dataclass(slots=True)
class FakeProbe:
    rack: FakeRack

    def fetch(self, gateway: Gateway, samples: int) -> ProbeResult:
        self.rack.check("probe")
        hops = sorted(self.rack.routed(gateway))
        good = {node for node in hops if self.rack.answers(gateway, node)}
        ok = sum(1 for i in range(samples) if hops and hops[i % len(hops)] in good)
        self.rack.lost += samples - ok
        return ProbeResult(gateway.vip, samples, ok)


def roles(site: Site) -> dict[str, SubjectRole]:
    return roles_of(site)


def world(rack: FakeRack) -> World:
    told: Mapping[str, SubjectRole] = {
        name: cast(SubjectRole, Told(role)) for name, role in rack.roles.items()
    }
    return World(
        site=rack.site,
        hosts=FakeHosts(rack),
        switches=FakeSwitches(rack),
        charts=FakeCharts(rack),
        cluster=FakeCluster(rack),
        probe=FakeProbe(rack),
        roles=told,
        commands=FakeCommands(rack),
    )


def running(site: Site, version: str | Mapping[str, str] = "1.30.3") -> tuple[FakeRack, World]:
    rack = FakeRack(site)
    rack.install_all(version)
    return rack, world(rack)
