"""What most subjects of the engine have in common: charts that are numbered like what they carry."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from rollout.model.mesh import ChartSource, Mesh
from rollout.model.observed import ChartState
from rollout.model.role import AgentKind, ChartStep, Json, ProxyKind
from rollout.model.trust import TrustWay

NOT_INSTALLED = frozenset({"pending-install", "uninstalling", "uninstalled"})
_NUMBERS = re.compile(r"\d+")


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

    def trust(self) -> TrustWay | None:
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


def goes_down(before: str, after: str) -> bool:
    """By the numbers in the names, which is how every one of our subjects counts (an edge by year, month, number)."""
    return _numbers(after) < _numbers(before)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in _NUMBERS.findall(version))


def newest(versions: Sequence[str]) -> str | None:
    return max(versions, key=_numbers, default=None)


def on_top(mesh: Mesh, chart: str, ours: Json) -> Json:
    """The site's own values for the chart with ours on top: what keeps N-1 is not for a site to take away."""
    return merged(own_values(mesh, chart), ours)


def own_values(mesh: Mesh, chart: str) -> dict[str, Any]:
    """What the site file says for this chart."""
    found: dict[str, Any] = json.loads(next((v.text for v in mesh.values if v.chart == chart), "{}"))
    return found


def merged(below: Json, above: Json) -> dict[str, Any]:
    """As Helm merges value files: mappings by key, everything else replaced."""
    result = dict(below)
    for key, value in above.items():
        old = result.get(key)
        if isinstance(old, Mapping) and isinstance(value, Mapping):
            result[key] = merged(old, value)
        else:
            result[key] = value
    return result
