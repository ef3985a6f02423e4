"""What a role tells the rest about one subject: a mesh, or MetalLB. The planner and the engine know no products."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from rollout.model.mesh import ChartSource
from rollout.model.observed import ChartState
from rollout.model.recipe import Recipe
from rollout.model.trust import TrustWay

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ChartStep:
    """One chart of a role, in the role's order. ``stage`` is control-plane or gateways; network is what no pod starts
    without, so it comes before everything else; a chart of any other stage (a preflight) is no part of a bringup."""

    stage: str
    release: str
    namespace: str
    chart: str


@dataclass(frozen=True, slots=True)
class AgentKind:
    """Where the pods of one component are found, and which container's image tag is its version.

    A ``v`` before the number is no part of the version. ``version_label`` is for pods whose image is numbered
    apart (Cilium's Envoy): the version is that label's value, and empty where the pod has none. An empty version
    takes no part in any rule, and such a pod is replaced like one at another version.
    ``beside`` names another component of the subject: all of these are there only when every node with one of those
    has one of these (a preflight that must have run wherever the agent runs).
    """

    component: str
    namespace: str
    labels: tuple[tuple[str, str], ...]
    container: str
    version_label: str = ""
    beside: str = ""


@dataclass(frozen=True, slots=True)
class ProxyKind:
    """What makes a pod one of the subject's data plane: a container (or native sidecar) of this name.

    Its image tag is the version. ``gateway_label`` is the pod label whose value is the gateway's name; empty
    where the subject has no gateways of its own. ``fail_health`` makes a gateway fail its health check and let go
    of kept-alive connections, ``pass_health`` takes that back: commands for the container, empty where there is
    none. A pod that is one of the subject's agents is never taken for a proxy.
    """

    component: str
    container: str
    gateway_label: str = ""
    fail_health: tuple[str, ...] = ()
    pass_health: tuple[str, ...] = ()


class SubjectRole(Protocol):
    """What a role tells the engine about one mesh (or metallb) of one site; the engine knows no product names.

    ``name`` is the site's word for the subject, ``kind`` the rules' (istio, istio-ambient, linkerd, cilium,
    consul, metallb, kubernetes).
    """

    name: str
    kind: str

    def charts(self) -> tuple[ChartStep, ...]: ...
    def values(self, step: ChartStep, version: str, data_plane: str | None = None) -> Json:
        """``version`` is the subject's; ``data_plane`` pins what injected proxies get (InstallChart.data_plane)."""
        ...

    def chart_version(self, step: ChartStep, version: str) -> str:
        """The chart version that carries this version of the subject; most subjects number them alike.

        Raises NoRecipe where nobody can tell.
        """
        ...

    def chart(self, release: str) -> ChartStep:
        """The chart of a release that a recipe names, also one that ``charts()`` leaves out. KeyError for others."""
        ...

    def carried(self, step: ChartStep, chart: str) -> str:
        """The subject's version that this chart version carries: :meth:`chart_version` backwards."""
        ...

    def component_version(self, component: str, version: str) -> str:
        """What the component calls itself when the subject is at ``version`` (Consul's dataplane counts apart)."""
        ...

    def proxies(self) -> ProxyKind | None:
        """What the data plane's pods look like; None for a subject without proxies."""
        ...

    def trust(self) -> TrustWay | None:
        """How it takes a new trust anchor; None for a subject without leaves of its own."""
        ...

    def agents(self) -> tuple[AgentKind, ...]:
        """Components that are seen as pods and are no proxies."""
        ...

    def recipe(self, before: str, after: str) -> Recipe:
        """Upstream's order for this move, also downwards (a rollback). Raises NoRecipe for one it has no way for."""
        ...

    def source(self) -> ChartSource: ...
    def parts(self) -> tuple[str, ...]:
        """Names for :class:`rollout.model.step.ApplyObjects`, in order.

        A part whose name starts with ``gateways`` needs what the charts of stage gateways install, and is
        applied after them; every other part is applied after the charts of stage control-plane.
        """
        ...

    def objects(self, part: str) -> tuple[Json, ...]: ...
    def control_plane(self, version: str = "") -> tuple[str, str]:
        """Namespace and Deployment whose readiness means that the control plane answers (of ``version``, if given)."""
        ...

    def installed_version(self, charts: Sequence[ChartState]) -> str | None:
        """The newest control plane that the releases say is there."""
        ...

    def deployed(self, charts: Sequence[ChartState], version: str) -> bool:
        """A control plane of exactly this version is there, perhaps beside another (Istio revisions)."""
        ...
