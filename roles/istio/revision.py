"""Istio by revision: a second istiod beside the first, a tag that moves, and proxies that follow when they restart.

Upstream's order (istio.io setup/upgrade/helm "Canary upgrade" and setup/upgrade/canary "Stable revision labels"):
base, the new revision's istiod, the tag, workloads restarted, the default revision moved, the old istiod removed.
Namespaces and gateways name the tag, never a revision, so nothing of theirs is edited.

Two minors at once are allowed for what is revisioned, because each proxy keeps to its own istiod. Gateways are part
of that here: upstream's gateway chart is unrevisioned by default, ours carries the tag as ``revision``, so a gateway
stays with the old istiod until its node's turn. The tag's unit is the namespace, not the rack: from the moment the tag
moves, any pod of the mesh that restarts for its own reasons gets the new proxy.
"""

from __future__ import annotations

from collections.abc import Sequence

from roles.charted import NOT_INSTALLED, goes_down, newest
from roles.istio.common import BASE, DATA_PLANE, ISTIOD, NAMESPACES, Istio
from roles.istio.tag import default_validator, tag_webhook
from roles.istio.values import istiod_values, revisioned_base_values
from rollout.model.mesh import Mesh
from rollout.model.observed import ChartState
from rollout.model.recipe import ChartsStage, CleanupStage, Recipe
from rollout.model.role import ChartStep, Json
from rollout.model.site import Site

TAG = "tag-"
VALIDATOR = "validator-"
EARLY = (
    "from the moment tag {tag} moves, any pod of its namespaces that restarts early gets {after}: "
    "a tag's unit is the namespace, not the rack [istio.io setup/upgrade/canary]"
)
GATEWAYS = "gateways carry the tag {tag} and follow it; one without a revision would fall under ISTIO-SKEW-01"


def revision_of(version: str) -> str:
    """``1.31.1`` is revision ``1-31-1``: upstream's own custom, and a name that Kubernetes takes."""
    return version.replace(".", "-")


class RevisionRole(Istio):
    """Implements :class:`rollout.model.role.SubjectRole` for one Istio mesh with sidecars, upgraded by revision."""

    method = "revision"

    def __init__(self, site: Site, mesh: Mesh) -> None:
        super().__init__(site, mesh, "istio")
        self.revision = mesh.tag

    def _control_charts(self) -> tuple[ChartStep, ...]:
        return (self._step(BASE, "base"), self._istiod(self._mesh.version))

    def _istiod(self, version: str) -> ChartStep:
        return self._step(_release(version), "istiod")

    def chart(self, release: str) -> ChartStep:
        if release.startswith(f"{ISTIOD}-"):
            return self._step(release, "istiod")
        return super().chart(release)

    def _values(self, step: ChartStep, version: str, data_plane: str | None) -> Json:
        match step.chart:
            case "base":
                return revisioned_base_values(self._mesh)
            case "istiod":
                return istiod_values(self._mesh, version, revision=revision_of(version))
            case _:
                return super()._values(step, version, data_plane)

    def namespace_labels(self) -> dict[str, str]:
        return {"istio.io/rev": self._mesh.tag}

    def parts(self) -> tuple[str, ...]:
        return (_validator(self._mesh.version), _tag(self._mesh.version), *super().parts())

    def objects(self, part: str) -> tuple[Json, ...]:
        if part.startswith(TAG):
            return (tag_webhook(self._mesh, part.removeprefix(TAG)),)
        if part.startswith(VALIDATOR):
            return (default_validator(self._mesh, part.removeprefix(VALIDATOR)),)
        return super().objects(part)

    def control_plane(self, version: str = "") -> tuple[str, str]:
        return self._mesh.namespace, _release(version or self._mesh.version)

    def installed_version(self, charts: Sequence[ChartState]) -> str | None:
        return newest([chart.version for chart in charts if self._is_istiod(chart)])

    def deployed(self, charts: Sequence[ChartState], version: str) -> bool:
        wanted = (_release(version), version)
        return any((c.release, c.version) == wanted for c in charts if self._is_istiod(c))

    def _is_istiod(self, chart: ChartState) -> bool:
        mine = chart.namespace == self._mesh.namespace and chart.status not in NOT_INSTALLED
        return mine and (chart.release == ISTIOD or chart.release.startswith(f"{ISTIOD}-"))

    def recipe(self, before: str, after: str) -> Recipe:
        """The same both ways but for the CRDs, which stay where they are on the way back."""
        down = goes_down(before, after)
        revision = ChartsStage(
            "second control plane", (_release(after),), ("istiod",), awaits_control_plane=True
        )
        tag = ChartsStage(f"tag {self._mesh.tag}", (), parts=(_tag(after), NAMESPACES))
        crds = () if down else (ChartsStage("CRDs", (BASE,), parts=(_validator(before),)),)
        default = ChartsStage("default revision", (), parts=(_validator(after),))
        old = CleanupStage(
            "first control plane", ((_release(before), self._mesh.namespace),) if before != after else ()
        )
        stages = (*crds, revision, tag, *self._gateway_charts(), DATA_PLANE, default, old)
        notes = (EARLY.format(tag=self._mesh.tag, after=after), GATEWAYS.format(tag=self._mesh.tag))
        return self._recipe(before, after, *stages, notes=notes)


def _release(version: str) -> str:
    return f"{ISTIOD}-{revision_of(version)}"


def _validator(version: str) -> str:
    return VALIDATOR + revision_of(version)


def _tag(version: str) -> str:
    return TAG + revision_of(version)
