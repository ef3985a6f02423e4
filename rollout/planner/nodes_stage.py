"""One walk over the nodes: waves of racks, gateway nodes strictly one at a time, workers in small batches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rollout.model.plan import Stage, Wave
from rollout.model.policy import Waves
from rollout.model.recipe import CommandOnNode, RenewOnNode, ReplaceNodeAgents, RestartProxies
from rollout.model.site import Node, Pacing, Site
from rollout.model.step import ProbeVips, Soak, Step
from rollout.planner.gates import Gates
from rollout.planner.layout import Group, layout
from rollout.planner.leg import Task, Work
from rollout.planner.seal import wave
from rollout.planner.standing import Standing
from rollout.planner.visit import Visit, steps, together


@dataclass(frozen=True, slots=True)
class Frame:
    """What every hop of a plan shares. ``order`` are the nodes that may be touched at all, in the site's order;
    ``hurt`` those of them that do not serve already."""

    site: Site
    waves: Waves
    pacing: Pacing
    gates: Gates
    order: tuple[str, ...]
    hurt: frozenset[str] = frozenset()

    @property
    def racks(self) -> tuple[str, ...]:
        return tuple(rack.name for rack in self.site.racks)

    def gateways_of(self, subject: str) -> tuple[str, ...]:
        return tuple(gateway.name for gateway in self.site.gateways if gateway.mesh == subject)


@dataclass(frozen=True, slots=True)
class Walk:
    """``work`` is what each node needs; nodes without any are not visited."""

    frame: Frame
    standing: Standing
    work: Work
    prefix: str
    name: str = ""

    def waves(self) -> tuple[Wave, ...]:
        groups = layout(self.frame.site, self.work.keys(), self.frame.waves, self.frame.hurt)
        return tuple(w for number, group in enumerate(groups, 1) for w in self._wave(number, group))

    def left(self) -> Standing:
        """What runs once the walk is done."""
        subjects = {task.subject for tasks in self.work.values() for task in tasks}
        return self.standing.after(self.work, {name: self.frame.gateways_of(name) for name in subjects})

    def naive_changes(self) -> int:
        """Two changes of a VIP's next-hops for each component of each node that would be drained on its own."""
        nodes = {node.name: node for node in self.frame.site.gateway_nodes}
        drains = (
            _components(task)
            for name, tasks in self.work.items()
            if name in nodes
            for task in tasks
            if self._takes_routes(nodes[name], task)
        )
        return 2 * sum(drains)

    def _wave(self, number: int, group: Group) -> tuple[Wave, ...]:
        routed = [node for node in group.nodes if self._routes(node)]
        others = [node for node in group.nodes if not self._routes(node)]
        batches = [others[i : i + self._at_once] for i in range(0, len(others), self._at_once)]
        gateways = tuple(step for node in routed for step in steps(self._visit(node, routes=True)))
        workers = tuple(
            step for batch in batches for step in together([self._visit(n, routes=False) for n in batch])
        )
        return wave(
            self.name + group.name,
            group.racks,
            Stage("gateways", gateways),
            Stage("workers", workers),
            Stage("outside", tuple(self._watch(number))),
        )

    @property
    def _at_once(self) -> int:
        return max(1, self.frame.waves.workers_at_once)

    def _watch(self, number: int) -> Iterator[Step]:
        """A longer look at the end of a wave, where the site asks for one."""
        waves = self.frame.waves
        if not (waves.wave_soak or waves.wave_samples) or not self.frame.site.gateways:
            return
        key = f"{self.prefix}/wave{number}"
        yield Step(f"{key}/probe", ProbeVips(self.frame.pacing.soak_samples))
        yield Step(f"{key}/soak", Soak(waves.wave_soak, waves.wave_samples))

    def _visit(self, node: Node, *, routes: bool) -> Visit:
        tasks, frame = self.work[node.name], self.frame
        renews = any(isinstance(task.action, RenewOnNode) for task in tasks)
        restore = routes and (renews or bool(self._drained(node) - self._replaced(node, tasks)))
        return Visit(self.prefix, node.name, tasks, routes, restore, frame.pacing, frame.gates)

    def _drained(self, node: Node) -> frozenset[str]:
        """Every gateway that was seen on the node: draining takes them all, whatever their mesh."""
        return frozenset(name for name, spread in self.standing.gateways.items() if node.name in spread)

    def _replaced(self, node: Node, tasks: tuple[Task, ...]) -> frozenset[str]:
        restarts = (task for task in tasks if isinstance(task.action, RestartProxies))
        return frozenset().union(*(self._stale(node, task) for task in restarts))

    def _stale(self, node: Node, task: Task) -> frozenset[str]:
        return self.standing.stale(self.frame.gateways_of(task.subject), node.name, task.version)

    def _gateways(self, task: Task) -> tuple[str, ...]:
        return self.frame.gateways_of(task.subject)

    def _routes(self, node: Node) -> bool:
        return any(self._takes_routes(node, task) for task in self.work[node.name])

    def _takes_routes(self, node: Node, task: Task) -> bool:
        """Whether traffic that comes in through this node would notice the task."""
        if not node.gateway or not self.frame.site.gateways:
            return False
        match task.action:
            case RestartProxies():
                return bool(self._stale(node, task))
            case ReplaceNodeAgents(cuts_traffic=cuts):
                return cuts
            case CommandOnNode():
                return True
            case RenewOnNode():
                return any(node.name in self.standing.gateways.get(g, {}) for g in self._gateways(task))


def _components(task: Task) -> int:
    return len(task.action.components) if isinstance(task.action, ReplaceNodeAgents) else 1
