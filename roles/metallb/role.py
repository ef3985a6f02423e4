"""MetalLB as a subject of the engine: one chart, node labels, pools and peers."""

from __future__ import annotations

from collections.abc import Sequence

from roles.metallb.objects import node_labels, pools
from rollout.model.observed import ChartState
from rollout.model.role import ChartStep, Json
from rollout.model.site import ChartSource, Site

RELEASE = "metallb"
NODE_LABELS = "node-labels"
POOLS = "pools"
NOT_INSTALLED = frozenset({"pending-install", "uninstalling", "uninstalled"})


class MetalLbRole:
    """Implements :class:`rollout.model.role.SubjectRole` for the MetalLB of one site."""

    name = "metallb"

    def __init__(self, site: Site) -> None:
        self._site = site

    def charts(self) -> tuple[ChartStep, ...]:
        return (ChartStep("control-plane", RELEASE, self._site.metallb.namespace, "metallb"),)

    def values(self, step: ChartStep, version: str) -> Json:
        """The BGP backend is pinned: unpinned, an upgrade to 0.16 switches every speaker to frr-k8s at once.

        ``OnDelete`` keeps a chart upgrade from restarting all speakers together, and the exclude label must
        count, or no node could be withdrawn before it is drained.
        """
        del step, version
        return {
            "speaker": {
                "frr": {"enabled": True},
                "ignoreExcludeLB": False,
                "updateStrategy": {"type": "OnDelete"},
            },
            "frrk8s": {"enabled": False},
        }

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
