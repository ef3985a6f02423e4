"""What moves ahead of the nodes: charts, servers and the site's own commands, as steps in the recipe's order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import assert_never

from rollout.model.plan import Stage
from rollout.model.recipe import (
    ChartsStage,
    CleanupStage,
    CommandStage,
    NodesStage,
    RecipeStage,
    ServersStage,
)
from rollout.model.step import (
    ApplyObjects,
    AwaitControlPlane,
    AwaitVersion,
    InstallChart,
    MoveServer,
    RemoveChart,
    RunCommand,
    Step,
)
from rollout.planner.gates import Gates
from rollout.planner.leg import Leg
from rollout.planner.standing import Standing


@dataclass(frozen=True, slots=True)
class Ahead:
    """One subject's part of a control-plane wave. ``prefix`` makes its keys unique in a plan of several hops.

    ``busy`` True while proxies of the subject are yet to move in this hop.
    """

    leg: Leg
    prefix: str
    standing: Standing
    gates: Gates
    busy: bool

    def stages(self, planned: tuple[RecipeStage, ...], *, named: bool) -> tuple[Stage, ...]:
        """``named``: several subjects share the wave, so each stage says whose it is."""
        owner = f"{self.leg.subject}: " if named else ""
        found = ((owner + stage.name, tuple(self._steps(stage))) for stage in planned)
        return tuple(Stage(name, steps) for name, steps in found if steps)

    def _steps(self, stage: RecipeStage) -> Iterator[Step]:
        match stage:
            case ChartsStage():
                yield from self._charts(stage)
            case ServersStage():
                yield from self._servers(stage)
            case CommandStage():
                yield from self._commands(stage)
            case CleanupStage():
                yield from self._cleanup(stage)
            case NodesStage():
                raise AssertionError("a walk over the nodes is no stage of a control-plane wave")
            case _:
                assert_never(stage)

    def _charts(self, stage: ChartsStage) -> Iterator[Step]:
        """Nothing at all where every chart is as it should be; the objects go around the charts they need.

        A stage without charts is all objects (a tag that moves): those cannot be seen, so they follow the move.
        """
        charts = tuple(self._install(stage, name) for name in stage.releases if self._wanted(stage, name))
        if not charts and (stage.releases or not (self._moves or self.busy)):
            return
        version, waited = self._at(stage), stage.components
        yield from (self._objects(part) for part in stage.parts_before)
        yield from charts
        if stage.awaits_control_plane:
            yield Step(self._key(stage, "control-plane"), AwaitControlPlane(self.leg.subject, version))
            waited = waited[1:]
        yield from (self._objects(part) for part in stage.parts)
        yield from (self._await(component) for component in waited)

    def _at(self, stage: ChartsStage) -> str:
        return self.leg.hop.before if stage.stays else self.leg.version

    def _install(self, stage: ChartsStage, release: str) -> Step:
        chart, hop = self.leg.chart(release), self.leg.hop
        held = None if not stage.pin else hop.after if stage.stays else hop.before
        version = self.leg.role.chart_version(chart, self._at(stage))
        effect = InstallChart(hop.subject, release, chart.namespace, chart.chart, version, held)
        return Step(self._key(stage, f"chart/{release}"), effect, self.gates.charts)

    def _key(self, stage: ChartsStage, name: str) -> str:
        """The same chart comes twice where proxies are held back: the second time it lets them go."""
        mark = "hold/" if stage.pin and stage.stays else "release/" if self._releases(stage) else ""
        return f"{self.prefix}/{mark}{name}"

    def _releases(self, stage: ChartsStage) -> bool:
        """This stage takes a pin back that an earlier stage of the way up has set."""
        stages = self.leg.recipe.stages
        earlier = [s for s in stages[: stages.index(stage)] if isinstance(s, ChartsStage)]
        mine = frozenset(stage.releases)
        return not stage.pin and any(s.pin and not s.stays and mine & frozenset(s.releases) for s in earlier)

    def _wanted(self, stage: ChartsStage, release: str) -> bool:
        """A pin cannot be seen in what Helm lists: it is set, or taken back, wherever proxies are yet to move."""
        chart = self.leg.chart(release)
        wanted = self.leg.role.chart_version(chart, self._at(stage))
        there = self.standing.charts.get((chart.namespace, release)) == wanted
        if stage.stays:
            return self.busy
        if self._passing(release):
            return self._moves
        return not there or (self.busy and self._releases(stage))

    def _objects(self, part: str) -> Step:
        return Step(f"{self.prefix}/objects/{part}", ApplyObjects(self.leg.subject, part))

    def _await(self, component: str) -> Step:
        effect = AwaitVersion(self.leg.subject, component, self.leg.component_version(component))
        return Step(f"{self.prefix}/await/{component}", effect)

    def _servers(self, stage: ServersStage) -> Iterator[Step]:
        """Highest ordinal first, as a StatefulSet's partition moves."""
        if self._there(stage.component):
            return
        version = self.leg.component_version(stage.component)
        for ordinal in reversed(range(stage.replicas)):
            names = (self.leg.subject, stage.component, stage.namespace, stage.workload)
            effect = MoveServer(*names, ordinal, version)
            yield Step(f"{self.prefix}/{stage.workload}-{ordinal}", effect, self.gates.charts)
        yield self._await(stage.component)

    def _commands(self, stage: CommandStage) -> Iterator[Step]:
        """One host after another: whoever answers the cluster meanwhile is one of the others."""
        if stage.component is not None and self._there(stage.component):
            return
        for host in stage.hosts:
            effect = RunCommand(host, stage.purpose, stage.argv)
            yield Step(f"{self.prefix}/{stage.name.replace(' ', '-')}/{host}", effect, self.gates.charts)
        if stage.component is not None:
            yield self._await(stage.component)

    def _there(self, component: str) -> bool:
        """Everyone of the component runs the target; where nobody was seen, the subject's own version counts."""
        seen = self.standing.everywhere(self.leg.subject, component)
        hop = self.leg.hop
        return seen == {self.leg.component_version(component)} if seen else hop.before == hop.after

    @property
    def _moves(self) -> bool:
        return self.leg.hop.before != self.leg.hop.after

    def _passing(self, release: str) -> bool:
        """Installed only to be removed again in the same hop, as a preflight is."""
        stages = self.leg.recipe.stages
        gone = {name for s in stages if isinstance(s, CleanupStage) for name, _ in s.releases}
        made = {name for s in stages if isinstance(s, ChartsStage) for name in s.releases}
        return release in gone & made

    @property
    def _left_behind(self) -> bool:
        held = self.standing.proxies.get(self.leg.subject, {}).values()
        return any(versions - {self.leg.version} for versions in held)

    def _cleanup(self, stage: CleanupStage) -> Iterator[Step]:
        """What proxies on nodes beyond ``--limit`` still answer to stays until a later plan has moved them."""
        for release, namespace in stage.releases:
            if self._left_behind and not self._passing(release):
                continue
            if (namespace, release) in self.standing.charts or (self._passing(release) and self._moves):
                effect = RemoveChart(self.leg.subject, release, namespace)
                yield Step(f"{self.prefix}/remove/{release}", effect)
