"""Legs to waves: what moves ahead of the nodes, then one walk over the nodes that all legs of a hop share."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import zip_longest

from rollout.model.plan import Stage, Wave
from rollout.model.recipe import ChartsStage, CommandOnNode
from rollout.model.step import ProbeVips, Step
from rollout.planner.charts_stage import Ahead
from rollout.planner.leg import Leg, Task, Turn, Work
from rollout.planner.nodes_stage import Frame, Walk
from rollout.planner.seal import wave
from rollout.planner.standing import NONE, Standing


@dataclass(frozen=True, slots=True)
class Built:
    """``naive`` counts next-hop-set changes of the same moves with one drain for each component."""

    waves: tuple[Wave, ...]
    standing: Standing
    naive: int = 0


@dataclass(frozen=True, slots=True)
class Hopping:
    """One group of legs. ``name`` stands before its waves and ``mark`` before its keys; empty in a plan of one."""

    frame: Frame
    legs: tuple[Leg, ...]
    name: str = ""
    mark: str = ""

    def build(self, standing: Standing) -> Built:
        waves: tuple[Wave, ...] = ()
        naive = 0
        busy = frozenset(leg.subject for leg in self.legs if self._busy(standing, leg))
        turns = zip_longest(*(leg.turns() for leg in self.legs), fillvalue=((), ()))
        for number, turn in enumerate(turns):
            waves += self._ahead(standing, turn, number, busy)
            standing = standing.with_charts(self._installed(turn))
            walk = self._walk(standing, turn, number)
            waves += walk.waves()
            naive += walk.naive_changes()
            standing = walk.left()
        return Built(waves, standing, naive)

    def _busy(self, standing: Standing, leg: Leg) -> bool:
        return any(self._work(standing, leg.tasks(nodes)) for _, nodes in leg.turns())

    def _ahead(
        self, standing: Standing, turn: tuple[Turn, ...], number: int, busy: frozenset[str]
    ) -> tuple[Wave, ...]:
        """One wave; its end is seen from outside, for a control plane can break what nobody touched."""
        found: list[Stage] = []
        for leg, (planned, _) in zip(self.legs, turn, strict=True):
            prefix = self.mark + leg.subject
            ahead = Ahead(leg, prefix, standing, self.frame.gates, leg.subject in busy)
            found += ahead.stages(planned, named=len(self.legs) > 1)
        if found and self.frame.site.gateways:
            key = f"{self.mark}{self._subjects}/probe" + (f"-{number + 1}" if number else "")
            found.append(Stage("outside", (Step(key, ProbeVips(self.frame.pacing.soak_samples)),)))
        name = "control plane" + (", after the nodes" if number else "")
        return wave(self.name + name, self.frame.racks, *found)

    @property
    def _subjects(self) -> str:
        return "+".join(dict.fromkeys(leg.subject for leg in self.legs))

    def _installed(self, turn: tuple[Turn, ...]) -> dict[tuple[str, str], str]:
        return {
            (chart.namespace, chart.release): leg.role.chart_version(
                chart, leg.hop.before if stage.stays else leg.version
            )
            for leg, (planned, _) in zip(self.legs, turn, strict=True)
            for stage in planned
            if isinstance(stage, ChartsStage)
            for chart in map(leg.chart, stage.releases)
        }

    def _walk(self, standing: Standing, turn: tuple[Turn, ...], number: int) -> Walk:
        pairs = zip(self.legs, turn, strict=True)
        tasks = tuple(task for leg, (_, nodes) in pairs for task in leg.tasks(nodes))
        prefix = self.mark + self._subjects + (f"/walk{number + 1}" if number else "")
        return Walk(self.frame, standing, self._work(standing, tasks), prefix, self.name)

    def _work(self, standing: Standing, tasks: tuple[Task, ...]) -> Work:
        """Only nodes that are chosen, and on each only what is not at its version yet."""
        found = ((node, tuple(t for t in tasks if needed(standing, t, node))) for node in self.frame.order)
        return {node: mine for node, mine in found if mine}


def needed(standing: Standing, task: Task, node: str) -> bool:
    """A command's component is on every node: one that nobody saw is not up to date. A task that moves no version
    is needed wherever it is asked for."""
    held = standing.held(task, node)
    return held != {task.version} if isinstance(task.action, CommandOnNode) else held - {task.version} != NONE
