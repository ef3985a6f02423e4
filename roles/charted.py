"""What most subjects of the engine have in common: charts that are numbered like what they carry."""

from __future__ import annotations

from collections.abc import Sequence

from rollout.model.observed import ChartState
from rollout.model.role import AgentKind, ChartStep, Json, ProxyKind
from rollout.model.site import ChartSource, Mesh

NOT_INSTALLED = frozenset({"pending-install", "uninstalling", "uninstalled"})


class Charted:
    """The half of :class:`rollout.model.role.SubjectRole` that seldom differs; a role overrides what does.

    ``main`` is (namespace, release) of the chart whose version is the subject's.
    """

    def __init__(self, name: str, kind: str, source: ChartSource, main: tuple[str, str]) -> None:
        self.name = name
        self.kind = kind
        self._source = source
        self._main = main

    def charts(self) -> tuple[ChartStep, ...]:
        raise NotImplementedError

    def source(self) -> ChartSource:
        return self._source

    def chart(self, release: str) -> ChartStep:
        for step in self.charts():
            if step.release == release:
                return step
        raise KeyError(f"{self.name} has no release {release!r}")

    def chart_version(self, step: ChartStep, version: str) -> str:
        del step
        return version

    def carried(self, step: ChartStep, chart: str) -> str:
        del step
        return chart

    def component_version(self, component: str, version: str) -> str:
        del component
        return version

    def proxies(self) -> ProxyKind | None:
        return None

    def agents(self) -> tuple[AgentKind, ...]:
        return ()

    def parts(self) -> tuple[str, ...]:
        return ()

    def objects(self, part: str) -> tuple[Json, ...]:
        raise KeyError(f"{self.name} has no part {part!r}; it has {', '.join(self.parts()) or 'none'}")

    def installed_version(self, charts: Sequence[ChartState]) -> str | None:
        """Whatever Helm thinks of the release's last revision; None before any was deployed."""
        namespace, release = self._main
        found = (c for c in charts if (c.namespace, c.release) == (namespace, release))
        state = next(found, None)
        if state is None or state.status in NOT_INSTALLED:
            return None
        return self.carried(self.chart(release), state.version)

    def deployed(self, charts: Sequence[ChartState], version: str) -> bool:
        return self.installed_version(charts) == version


def unknown_chart(mesh: Mesh, step: ChartStep) -> KeyError:
    return KeyError(f"mesh {mesh.name} has no chart {step.chart!r}")
