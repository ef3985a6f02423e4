"""Kubernetes itself: a constraint for every mesh, and a subject only where the site says how it is moved.

Upstream's order (kubernetes.io releases/version-skew-policy): every API server first, then kubelets on drained nodes,
one minor at a time, never back. rackroll orders that and proves it; how an API server or a kubelet is replaced is the
site's own command (kubeadm, Talos, an image), run once per host.
"""

from __future__ import annotations

from collections.abc import Sequence

from roles.charted import goes_down
from rollout.model.mesh import ChartSource, ChartSourceKind
from rollout.model.observed import ChartState
from rollout.model.recipe import CommandOnNode, CommandStage, NodesStage, NoRecipe, Recipe
from rollout.model.role import AgentKind, ChartStep, Json, ProxyKind
from rollout.model.site import Kubernetes, Site
from rollout.model.trust import TrustWay

NAME = "kubernetes"
VERSION = "{version}"
API_SERVER = "kube-apiserver"


class KubernetesRole:
    """Implements :class:`rollout.model.role.SubjectRole` for the cluster that the site runs on. It has no charts."""

    name = NAME
    kind = NAME

    def __init__(self, site: Site) -> None:
        self._kubernetes: Kubernetes = site.kubernetes

    def charts(self) -> tuple[ChartStep, ...]:
        return ()

    def chart(self, release: str) -> ChartStep:
        raise KeyError(f"{NAME} has no release {release!r}: it is not installed by charts")

    def values(self, step: ChartStep, version: str, data_plane: str | None = None) -> Json:
        del version, data_plane
        raise KeyError(f"{NAME} has no chart {step.chart!r}")

    def chart_version(self, step: ChartStep, version: str) -> str:
        del version
        raise KeyError(f"{NAME} has no chart {step.chart!r}")

    def carried(self, step: ChartStep, chart: str) -> str:
        del chart
        raise KeyError(f"{NAME} has no chart {step.chart!r}")

    def source(self) -> ChartSource:
        return ChartSource(ChartSourceKind.PATH, "")

    def component_version(self, component: str, version: str) -> str:
        del component
        return version

    def proxies(self) -> ProxyKind | None:
        return None

    def trust(self) -> TrustWay | None:
        return None

    def agents(self) -> tuple[AgentKind, ...]:
        """API servers that run as static pods are seen one by one; of others only the one that answers is."""
        return (AgentKind("apiserver", "kube-system", (("component", API_SERVER),), API_SERVER),)

    def parts(self) -> tuple[str, ...]:
        return ()

    def objects(self, part: str) -> tuple[Json, ...]:
        raise KeyError(f"{NAME} has no part {part!r}")

    def control_plane(self, version: str = "") -> tuple[str, str]:
        del version
        raise KeyError(f"{NAME} has no Deployment to wait for: its API servers are awaited by version")

    def installed_version(self, charts: Sequence[ChartState]) -> str | None:
        """Charts know nothing of it: what runs is what its API says (Observed.kubernetes)."""
        del charts
        return None

    def deployed(self, charts: Sequence[ChartState], version: str) -> bool:
        del charts, version
        return False

    def recipe(self, before: str, after: str) -> Recipe:
        self._refuse(before, after)
        hosts = tuple(host.name for host in self._kubernetes.control_plane)
        purpose = f"kubelet to {after}"
        control = CommandStage(
            "API servers",
            f"Kubernetes control plane to {after}",
            hosts,
            _filled(self._kubernetes.upgrade_control_plane, after),
            "apiserver",
        )
        kubelets = CommandOnNode(purpose, _filled(self._kubernetes.upgrade_node, after), "kubelet")
        return Recipe(NAME, NAME, "any", before, after, (control, NodesStage("kubelets", (kubelets,))))

    def _refuse(self, before: str, after: str) -> None:
        keys = {
            "controlPlane": self._kubernetes.control_plane,
            "upgradeControlPlane": self._kubernetes.upgrade_control_plane,
            "upgradeNode": self._kubernetes.upgrade_node,
        }
        missing = ", ".join(f"kubernetes.{key}" for key, value in keys.items() if not value)
        if missing:
            text = f"Kubernetes is only a constraint here: the site file does not say how it is moved ({missing})"
            fix = f"set {missing} in the site file; {VERSION} in a command stands for the target"
            raise NoRecipe("PLAN-CONSTRAINT-01", text, fix=fix)
        if goes_down(before, after):
            text = f"Kubernetes does not go back from {before} to {after}: stored objects may be in newer versions"
            raise NoRecipe("PLAN-BACK-01", text, fix="restore the control plane from its own backup, by hand")


def _filled(argv: tuple[str, ...], version: str) -> tuple[str, ...]:
    return tuple(argument.replace(VERSION, version) for argument in argv)
