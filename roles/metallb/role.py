"""MetalLB as a subject of the engine: one chart, node labels, pools and peers."""

from __future__ import annotations

from collections.abc import Sequence

from roles.metallb.objects import node_labels, pools
from rollout.model.observed import ChartState
from rollout.model.recipe import ChartsStage, NodesStage, Recipe, ReplaceNodeAgents
from rollout.model.role import AgentKind, ChartStep, Json
from rollout.model.site import ChartSource, Site

RELEASE = "metallb"
NODE_LABELS = "node-labels"
POOLS = "pools"
NOT_INSTALLED = frozenset({"pending-install", "uninstalling", "uninstalled"})


class MetalLbRole:
    """Implements :class:`rollout.model.role.SubjectRole` for the MetalLB of one site."""

    name = "metallb"
    kind = "metallb"

    def __init__(self, site: Site) -> None:
        self._site = site

    def charts(self) -> tuple[ChartStep, ...]:
        return (ChartStep("control-plane", RELEASE, self._site.metallb.namespace, "metallb"),)

    def values(self, step: ChartStep, version: str, data_plane: str | None = None) -> Json:
        """The BGP backend is pinned: unpinned, an upgrade to 0.16 switches every speaker to frr-k8s at once.

        ``OnDelete`` keeps a chart upgrade from restarting all speakers together, and the exclude label must
        count, or no node could be withdrawn before it is drained.
        """
        del step, version, data_plane
        return {
            "speaker": {
                "frr": {"enabled": True},
                "ignoreExcludeLB": False,
                "updateStrategy": {"type": "OnDelete"},
            },
            "frrk8s": {"enabled": False},
        }

    def chart_version(self, step: ChartStep, version: str) -> str:
        del step
        return version

    def agents(self) -> tuple[AgentKind, ...]:
        namespace = self._site.metallb.namespace
        label = "app.kubernetes.io/component"
        return (
            AgentKind("controller", namespace, ((label, "controller"),), "controller"),
            AgentKind("speaker", namespace, ((label, "speaker"),), "speaker"),
        )

    def recipe(self, before: str, after: str) -> Recipe:
        """Controller first; speakers node by node, for a speaker that restarts drops its node's routes."""
        charts = ChartsStage(
            "control plane", (RELEASE,), ("controller",), parts=self.parts(), awaits_control_plane=True
        )
        speakers = NodesStage("speakers", (ReplaceNodeAgents(("speaker",)),))
        return Recipe(self.name, self.kind, "any", before, after, (charts, speakers))

    def source(self) -> ChartSource:
        return self._site.metallb.charts

    def parts(self) -> tuple[str, ...]:
        return (NODE_LABELS, POOLS)

    def objects(self, part: str) -> tuple[Json, ...]:
        match part:
            case "node-labels":
                return tuple(node_labels(self._site, node) for node in self._site.nodes)
            case "pools":
                return pools(self._site)
            case _:
                raise KeyError(f"metallb has no part {part!r}; it has {', '.join(self.parts())}")

    def control_plane(self) -> tuple[str, str]:
        return self._site.metallb.namespace, f"{RELEASE}-controller"

    def installed_version(self, charts: Sequence[ChartState]) -> str | None:
        """The release's version whatever Helm thinks of its last revision; None before any was deployed."""
        found = (c for c in charts if (c.namespace, c.release) == (self._site.metallb.namespace, RELEASE))
        state = next(found, None)
        return state.version if state and state.status not in NOT_INSTALLED else None
