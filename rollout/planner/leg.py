"""One subject's move from a version to the next, and what it asks of a node."""

from __future__ import annotations

from dataclasses import dataclass

from rollout.model.plan import Hop
from rollout.model.recipe import (
    ChartsStage,
    CommandOnNode,
    NodeAction,
    NodesStage,
    Recipe,
    RecipeStage,
    RenewOnNode,
    ReplaceNodeAgents,
    RestartProxies,
)
from rollout.model.role import ChartStep, SubjectRole


@dataclass(frozen=True, slots=True)
class Task:
    """One action on one node. ``version`` is the component's own, as its pods call themselves."""

    subject: str
    version: str
    action: NodeAction


Work = dict[str, tuple[Task, ...]]
"""Node name to what is to be done there in one visit."""

Turn = tuple[tuple[RecipeStage, ...], tuple[NodesStage, ...]]


@dataclass(frozen=True, slots=True)
class Leg:
    """A hop with its recipe, on the way up or back: the recipe's order is the role's."""

    hop: Hop
    role: SubjectRole
    recipe: Recipe

    @property
    def subject(self) -> str:
        return self.hop.subject

    @property
    def version(self) -> str:
        return self.hop.after

    def chart(self, release: str) -> ChartStep:
        return self.role.chart(release)

    @property
    def proxy(self) -> str:
        """What the rules call this subject's proxies."""
        kind = self.role.proxies()
        return kind.component if kind is not None else "proxy"

    def component_version(self, component: str) -> str:
        return self.role.component_version(component, self.version)

    def pins(self, release: str) -> bool:
        """Whether any stage holds proxies back through this chart: then a stage without a pin lets them go."""
        return any(isinstance(s, ChartsStage) and s.pin and release in s.releases for s in self.recipe.stages)

    def turns(self) -> tuple[Turn, ...]:
        """The recipe as turns of (everything up to a walk over the nodes, that walk); neighbouring walks are one."""
        found: list[tuple[list[RecipeStage], list[NodesStage]]] = [([], [])]
        for stage in self.recipe.stages:
            if isinstance(stage, NodesStage):
                found[-1][1].append(stage)
            elif found[-1][1]:
                found.append(([stage], []))
            else:
                found[-1][0].append(stage)
        return tuple((tuple(before), tuple(walk)) for before, walk in found)

    def tasks(self, walk: tuple[NodesStage, ...]) -> tuple[Task, ...]:
        return tuple(self._task(action) for stage in walk for action in stage.actions)

    def _task(self, action: NodeAction) -> Task:
        match action:
            case RestartProxies():
                name = self.proxy
            case ReplaceNodeAgents(components=components):
                name = components[0]
            case CommandOnNode(component=component):
                name = component or ""
            case RenewOnNode():
                name = ""
        return Task(self.subject, self.component_version(name), action)
