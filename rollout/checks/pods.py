"""What a node's pods need before they are moved: a budget that lets go, images that are there, a proxy each."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

from rollout.checks.facts import Absent, Facts, ImageFacts, InjectionFacts, Unknown
from rollout.checks.registry import Answer, Need, Registry, few, worst
from rollout.model.gate import Verdict
from rollout.model.workload import Budget, PodState

PODS = Registry()


def _may_open(facts: Facts) -> bool:
    """A budget that was used up a moment ago opens when the evicted pod is back; one that never can does not."""
    if isinstance(facts.leaving, Unknown | Absent) or isinstance(facts.budgets, Unknown):
        return False
    lasting = [budget for budget in facts.budgets if budget.never]
    return not any(budget.covers(pod) for budget in lasting for pod in facts.leaving)


@PODS.check(
    "PDB-ALLOWS",
    Need.EVICTION,
    hint="bring the budget's missing pods back, or give it room (another replica, maxUnavailable 1)",
    passing=_may_open,
)
def budgets_allow_the_drain(facts: Facts) -> Answer:
    """Would every PodDisruptionBudget let the node's pods go, one after the other?"""
    if isinstance(facts.leaving, Absent):
        return Verdict.OPEN, facts.leaving.detail
    for asked in (facts.leaving, facts.budgets):
        if isinstance(asked, Unknown):
            return Verdict.INCONCLUSIVE, asked.detail
    assert not isinstance(facts.leaving, Unknown)
    assert not isinstance(facts.budgets, Unknown)
    nodes: dict[str, list[PodState]] = defaultdict(list)
    for pod in facts.leaving:
        nodes[pod.node or ""].append(pod)
    answers = [_drained(node, pods, facts.budgets) for node, pods in sorted(nodes.items())]
    return worst(answers, "no pod has to leave")


def _drained(node: str, pods: list[PodState], budgets: tuple[Budget, ...]) -> Answer:
    """The eviction API's own arithmetic. A budget that was open and is used up now opens again when the evicted
    pod is back elsewhere: that is a wait, not a refusal."""
    left = dict(enumerate(budgets))
    refused: dict[str, Answer] = {}
    waits: set[str] = set()
    for pod in pods:
        covering = [] if pod.pending else [index for index, budget in left.items() if budget.covers(pod)]
        if len(covering) > 1:
            names = " and ".join(str(left[index]) for index in covering)
            text = f"{node}: {pod} is under {names}; the API evicts no pod under two budgets"
            refused[names] = Verdict.CLOSED, text
            continue
        for index in covering:
            if (answer := _asked(node, pod, budgets[index], left[index])) is not None:
                refused.setdefault(str(left[index]), answer)
            elif not _spared(pod, left[index]):
                waits |= {str(left[index])} if left[index].allowed == 0 else set()
                left[index] = replace(left[index], allowed=max(0, left[index].allowed - 1))
    if refused:
        return worst(list(refused.values()), "")
    waiting = f", waiting on {', '.join(sorted(waits))} in between" if waits else ""
    return Verdict.OPEN, f"{node}: {len(pods)} pods may leave{waiting}"


def _asked(node: str, pod: PodState, found: Budget, now: Budget) -> Answer | None:
    """None where the budget lets the pod go, at once or after a wait."""
    if not found.seen:
        return Verdict.INCONCLUSIVE, f"{node}: nobody has counted the newest change of the budget {found} yet"
    if _spared(pod, now) or found.allowed > 0:
        return None
    head = f"{node}: {pod} may not leave: the budget {found}"
    if found.never:
        return (
            Verdict.CLOSED,
            f"{head} can never allow it ({found.desired} of {found.expected} must be healthy)",
        )
    return Verdict.CLOSED, f"{head} allows none now ({found.healthy} healthy, {found.desired} must be)"


def _spared(pod: PodState, budget: Budget) -> bool:
    """No budget holds a pod that has not started, or one that is not Ready if the policy or its fellows allow it."""
    enough = budget.desired > 0 and budget.healthy >= budget.desired
    return pod.pending or (not pod.ready and (budget.spare_unready or enough))


@PODS.check(
    "IMAGES-PRESENT",
    Need.IMAGES,
    hint="pull them there (`crictl pull IMAGE`), or set policy.images to off; then `rackroll resume`",
)
def images_are_present(facts: Facts) -> Answer:
    """Are the images of what moves on its node already, at the version to come and at the one to go back to?"""
    if isinstance(facts.images, Absent):
        return Verdict.OPEN, facts.images.detail
    if isinstance(facts.images, Unknown):
        return Verdict.INCONCLUSIVE, facts.images.detail
    return worst([_pulled(node) for node in facts.images], "nothing that moves has an image to look for")


def _pulled(node: ImageFacts) -> Answer:
    if isinstance(node.found, Unknown):
        return Verdict.INCONCLUSIVE, f"{node.node}: {node.found.detail}"
    missing = [image for image in node.wanted if image not in node.found.names]
    if not missing:
        return Verdict.OPEN, f"{node.node}: {len(node.wanted)} images are there"
    if not node.found.complete:
        text = "its kubelet lists only some of its images (nodeStatusMaxImages), and not"
        return Verdict.INCONCLUSIVE, f"{node.node}: {text} {', '.join(missing)}"
    return Verdict.CLOSED, f"{node.node} lacks {', '.join(missing)}"


@PODS.check(
    "INJECTION-DRIFT",
    Need.INJECTION,
    hint="restart those pods, so that the injector sees them; or say on the pod that it wants no proxy",
)
def injection_has_not_drifted(facts: Facts) -> Answer:
    """Does every pod of a meshed namespace carry a proxy, at the version before or after the move?"""
    if isinstance(facts.injection, Absent):
        return Verdict.OPEN, facts.injection.detail
    if isinstance(facts.injection, Unknown):
        return Verdict.INCONCLUSIVE, facts.injection.detail
    return worst([_injected(mesh) for mesh in facts.injection], "no mesh of this site injects proxies")


def _injected(mesh: InjectionFacts) -> Answer:
    bare = [str(pod) for pod in mesh.pods if pod.proxy is None]
    odd = [
        f"{pod} at {pod.proxy[1]}"
        for pod in mesh.pods
        if pod.proxy and mesh.versions is not None and pod.proxy[1] not in mesh.versions
    ]
    said = [f"without a proxy: {few(bare)}"] if bare else []
    if odd:
        said.append(f"not at {' or '.join(sorted(mesh.versions or ()))}: {few(odd)}")
    if said:
        return Verdict.CLOSED, f"{mesh.mesh}: {'; '.join(said)}"
    return Verdict.OPEN, f"{mesh.mesh}: {len(mesh.pods)} pods, each with its proxy"
