"""MetalLB as a subject of the engine: one chart, node labels, pools and peers.

Upstream says only to read the release notes (metallb.io release-notes); the order is ours: the controller first, for it
only assigns addresses, then speakers node by node, each behind a withdrawal, because a speaker that stops drops its
node's routes at once (its grace period is 0). From 0.16 the chart's default BGP backend is frr-k8s; switching is a
migration of its own and never happens here.
"""

from __future__ import annotations

from roles.charted import Charted
from roles.metallb.objects import node_labels, pools
from rollout.model.recipe import ChartsStage, NodesStage, Recipe, ReplaceNodeAgents
from rollout.model.role import AgentKind, ChartStep, Json
from rollout.model.site import Site

RELEASE = "metallb"
NODE_LABELS = "node-labels"
POOLS = "pools"
METRICS_MOVED = (0, 16)
METRICS = (
    "0.16 serves metrics over HTTPS only, on port 9120 (FRR's on 9121): scrape configurations that name the old ports "
    "or plain HTTP go silent, and silent alerts look like quiet ones [metallb.io release-notes 0.16]"
)


class MetalLbRole(Charted):
    """Implements :class:`rollout.model.role.SubjectRole` for the MetalLB of one site."""

    def __init__(self, site: Site) -> None:
        super().__init__("metallb", "metallb", site.metallb.charts, (site.metallb.namespace, RELEASE))
        self._site = site

    def charts(self) -> tuple[ChartStep, ...]:
        return (ChartStep("control-plane", RELEASE, self._site.metallb.namespace, "metallb"),)

    def values(self, step: ChartStep, version: str, data_plane: str | None = None) -> Json:
        """The BGP backend is pinned: unpinned, an upgrade to 0.16 switches every speaker to frr-k8s at once.

        ``OnDelete`` keeps a chart upgrade from restarting all speakers together, and the exclude label must
        count, or no node could be withdrawn before it is drained.
        """
        del version, data_plane
        if step.chart != RELEASE:
            raise KeyError(f"metallb has no chart {step.chart!r}")
        return {
            "speaker": {
                "frr": {"enabled": True},
                "ignoreExcludeLB": False,
                "updateStrategy": {"type": "OnDelete"},
            },
            "frrk8s": {"enabled": False},
        }

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
        notes = (
            (METRICS,)
            if _line(before) != _line(after) and METRICS_MOVED in (_line(before), _line(after))
            else ()
        )
        return Recipe(self.name, self.kind, "any", before, after, (charts, speakers), notes)

    def parts(self) -> tuple[str, ...]:
        return (NODE_LABELS, POOLS)

    def objects(self, part: str) -> tuple[Json, ...]:
        match part:
            case "node-labels":
                return tuple(node_labels(self._site, node) for node in self._site.nodes)
            case "pools":
                return pools(self._site)
            case _:
                return super().objects(part)

    def control_plane(self, version: str = "") -> tuple[str, str]:
        del version
        return self._site.metallb.namespace, f"{RELEASE}-controller"


def _line(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
