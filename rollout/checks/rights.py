"""Whether our own user in Kubernetes may do what a run asks of it."""

from __future__ import annotations

from rollout.checks.facts import Absent, Facts, Unknown
from rollout.checks.registry import Answer, Need, Registry
from rollout.model.gate import Verdict

RIGHTS = Registry()


@RIGHTS.check(
    "KUBE-RIGHTS",
    Need.RIGHTS,
    hint="grant them to the kubeconfig's user: `kubectl apply -f roles/kubernetes/runner-rbac.yaml` and bind it",
)
def user_has_its_rights(facts: Facts) -> Answer:
    """May the kubeconfig's user do everything, in every namespace, that runner-rbac.yaml grants?"""
    if isinstance(facts.rights, Absent):
        return Verdict.OPEN, facts.rights.detail
    if isinstance(facts.rights, Unknown):
        return Verdict.INCONCLUSIVE, facts.rights.detail
    if facts.rights:
        return Verdict.CLOSED, f"the user may not {', '.join(map(str, facts.rights))}"
    return Verdict.OPEN, "the user may do all that a run asks of it"
