"""Requests for the planner's tests: a small site, what is seen on it, and what is asked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

from rollout.engine.observe import observe
from rollout.model.observed import Observed
from rollout.model.plan import Options, Plan
from rollout.model.policy import Waves
from rollout.model.site import ControlPlaneHost, Rack, Site
from rollout.model.step import Step
from rollout.planner.request import Request, asked
from tests.unit.fake_world import roles, running
from tests.unit.sites import ssh

UPGRADE_NODE = ("upgrade-node", "{version}")


def request(
    small: Site, *targets: tuple[str, str], runs: str = "1.30.3", options: Options | None = None
) -> Request:
    return asked(small, observe(running(small, runs)[1]), roles(small), *targets, options=options)


def with_waves(small: Site, **waves: object) -> Site:
    return replace(small, policy=replace(small.policy, waves=replace(Waves(), **waves)))  # type: ignore[arg-type]


def in_feeds(small: Site, *feeds: str) -> Site:
    """The racks in these failure domains, in order."""
    racks: Iterator[Rack] = (
        replace(rack, failure_domain=feed) for rack, feed in zip(small.racks, feeds, strict=True)
    )
    return replace(small, racks=tuple(racks))


def with_kubernetes(small: Site) -> Site:
    """Moved by the site's own commands, from three hosts."""
    hosts = tuple(ControlPlaneHost(f"cp{i}", ssh(f"127.0.9.{i}")) for i in (1, 2, 3))
    commands = replace(
        small.kubernetes,
        control_plane=hosts,
        upgrade_control_plane=("upgrade-cp", "{version}"),
        upgrade_node=UPGRADE_NODE,
    )
    return replace(small, kubernetes=commands)


def at_kubernetes(found: Observed, version: str) -> Observed:
    """The same fleet on another Kubernetes: API servers and kubelets."""
    agents = tuple(replace(a, version=version) if a.subject == "kubernetes" else a for a in found.agents)
    nodes = tuple(replace(node, kubelet=version) for node in found.nodes)
    return replace(found, kubernetes=version, nodes=nodes, agents=agents)


def steps(plan: Plan) -> list[Step]:
    return [step for _, _, _, step in plan.numbered()]


def kinds(plan: Plan, node: str | None = None) -> list[str]:
    return [type(step.effect).__name__ for step in steps(plan) if node is None or step.node == node]


def waves_of(plan: Plan) -> list[str]:
    return [wave.name for wave in plan.waves]


def seconds(count: float) -> timedelta:
    return timedelta(seconds=count)
