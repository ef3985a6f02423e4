"""Charts and objects of one subject as steps, in the role's order."""

from __future__ import annotations

from rollout.model.observed import Observed
from rollout.model.role import SubjectRole
from rollout.model.step import ApplyObjects, InstallChart, Step

CONTROL_PLANE = "control-plane"
GATEWAYS = "gateways"
NETWORK = "network"


def chart_steps(
    role: SubjectRole, stage: str, version: str, observed: Observed | None, gates: tuple[str, ...] = ()
) -> tuple[Step, ...]:
    """With ``observed``, only what is not deployed at ``version``; without, all of them (they finish as already)."""
    wanted = [(c, role.chart_version(c, version)) for c in role.charts() if c.stage == stage]
    if observed is not None:
        wanted = [(c, at) for c, at in wanted if not _deployed(observed, c.namespace, c.release, at)]
    return tuple(
        Step(
            f"{role.name}/chart/{chart.release}",
            InstallChart(role.name, chart.release, chart.namespace, chart.chart, at),
            gates,
        )
        for chart, at in wanted
    )


def _deployed(observed: Observed, namespace: str, release: str, version: str) -> bool:
    found = observed.chart(namespace, release)
    return found is not None and (found.version, found.status) == (version, "deployed")


def object_steps(role: SubjectRole, stage: str) -> tuple[Step, ...]:
    parts = [part for part in role.parts() if part.startswith(GATEWAYS) == (stage == GATEWAYS)]
    return tuple(Step(f"{role.name}/objects/{part}", ApplyObjects(role.name, part)) for part in parts)
