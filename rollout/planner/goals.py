"""What each subject runs at and where it is to go, before any path is looked for."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches

from rollout.model.observed import Observed
from rollout.model.plan import Target
from rollout.model.role import SubjectRole
from rollout.planner.refuse import refuse
from rollout.planner.request import Request
from rollout.planner.standing import KUBERNETES, bare


def running(observed: Observed, role: SubjectRole) -> str | None:
    """What the subject runs at, as its charts (for Kubernetes, its API) say; None if it is not there."""
    if role.kind == KUBERNETES:
        return bare(KUBERNETES, observed.kubernetes) if observed.kubernetes else None
    return role.installed_version(observed.charts)


def role_of(roles: Mapping[str, SubjectRole], subject: str, site: str) -> SubjectRole:
    """PlanRefused with the names that are near; needs nothing observed, so it can be asked first."""
    role = roles.get(subject)
    if role is not None:
        return role
    known = ", ".join(sorted(roles)) or "none"
    near = get_close_matches(subject, list(roles), n=1)
    fix = f"did you mean {near[0]}?" if near else f"name one of: {known}"
    raise refuse("PLAN-SUBJECT-01", f"no subject {subject!r} here; subjects of {site}: {known}", fix=fix)


def targets_of(request: Request) -> tuple[Target, ...]:
    """In the order asked for. A subject named twice, or one that is not installed, is refused."""
    found: dict[str, Target] = {}
    for subject, version in request.targets:
        role = role_of(request.roles, subject, request.site.name)
        if subject in found:
            text = f"{subject} is asked for twice: {found[subject].after} and {version}"
            raise refuse(
                "PLAN-SUBJECT-01", text, fix="name each subject once; use --via for a version on the way"
            )
        before = running(request.observed, role)
        if before is None:
            text = f"{subject} is not installed"
            raise refuse("PLAN-OBSERVED-01", text, fix="run `rackroll plan bringup` first")
        found[subject] = Target(subject, before, bare(subject, version))
    return tuple(found.values())
