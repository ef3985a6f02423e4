"""The first half of the node transaction: out of service, then emptied. Marks carry the run id."""

from __future__ import annotations

from collections.abc import Sequence

from rollout.engine.context import Run
from rollout.engine.join import own_next_hops
from rollout.engine.outcome import Done, Word
from rollout.errors import StepFailed
from rollout.model.observed import NodeState, ProxyState
from rollout.model.step import (
    AwaitWithdrawn,
    Cordon,
    DrainGateways,
    Evict,
    EvictAll,
    NaiveReplace,
    Withdraw,
)

BUDGETS = "kubectl get pdb -A: which budget says no?"


def node_state(run: Run, name: str) -> NodeState:
    for state in run.world.cluster.nodes(name):
        if state.name == name:
            return state
    raise StepFailed(f"the cluster has no node {name}", where=name, hint="join it to the cluster again")


def drain_gateways(run: Run, effect: DrainGateways) -> Done:
    """Failing an Envoy that is already failing changes nothing, so a second delivery only waits again."""
    pods = gateway_pods(run, effect.node)
    for pod in pods:
        _fail_health(run, pod)
    run.pause(effect.wait)
    return Done(Word.DONE, f"{len(pods)} gateway pods")


def gateway_pods(run: Run, node: str) -> list[ProxyState]:
    """Of every mesh, those that are not leaving."""
    proxies = run.world.cluster.proxies(node)
    return [p for p in proxies if p.node == node and p.gateway and not p.terminating]


def _fail_health(run: Run, pod: ProxyState) -> None:
    """A pod that is not Ready may be too broken to be told; it gets no new connections either way."""
    try:
        run.world.cluster.fail_gateway_health(pod.namespace, pod.pod)
    except StepFailed:
        if pod.ready:
            raise


def withdraw(run: Run, effect: Withdraw) -> Done:
    """Asked of the cluster even where the label is there: it knows whether this run set it."""
    state = node_state(run, effect.node)
    if state.excluded and state.owner != run.id:
        raise _foreign(state, "excluded from load balancers")
    run.world.cluster.exclude(effect.node, run.id)
    return Done(Word.ALREADY if state.excluded else Word.DONE)


def await_withdrawn(run: Run, effect: AwaitWithdrawn) -> Done:
    """The settle time always passes: after a crash nobody knows whether it did."""
    node = run.site.node(effect.node)

    def look() -> str | None:
        still = [str(vip) for vip, there in own_next_hops(run.world, node).items() if there]
        return f"still a next-hop of {', '.join(still)}" if still else None

    hint = "does the speaker obey the exclude label (speaker.ignoreExcludeLB)? see its log"
    run.until(f"withdrawal of {node.name}", look, hint=hint)
    run.pause(effect.settle)
    return Done(Word.DONE)


def cordon(run: Run, effect: Cordon) -> Done:
    state = node_state(run, effect.node)
    if state.cordoned and state.owner != run.id:
        raise _foreign(state, "cordoned")
    run.world.cluster.cordon(effect.node, run.id)
    return Done(Word.ALREADY if state.cordoned else Word.DONE)


def _foreign(state: NodeState, mark: str) -> StepFailed:
    text = f"{state.name} was {mark} by {state.owner or 'someone else'} meanwhile"
    return StepFailed(text, where=state.name, hint="ask who did it, undo it, then `rackroll resume`")


def evict(run: Run, effect: Evict) -> Done:
    """Never touches a pod at the wanted version, so delivering this twice evicts nothing twice.

    Only what was there before the first eviction is evicted: a replacement that comes back at another version would
    do so again, however often it is evicted.
    """
    before: set[tuple[str, str]] = set()
    evicted: set[tuple[str, str]] = set()

    def look() -> str | None:
        there = _on(run, effect.node, effect.mesh)
        old = [p for p in there if p.version != effect.version]
        before.update(_name(p) for p in there if not evicted)
        for pod in old:
            if _name(pod) not in before and not pod.terminating:
                raise _came_back(run, effect, pod)
            if not pod.terminating and run.world.cluster.evict(pod.namespace, pod.pod):
                evicted.add(_name(pod))
        return _staying([(*_name(p), p.terminating) for p in old])

    already = run.until(f"eviction from {effect.node}", look, hint=BUDGETS)
    return _evicted(already, evicted)


def _name(pod: ProxyState) -> tuple[str, str]:
    return pod.namespace, pod.pod


def _came_back(run: Run, effect: Evict, pod: ProxyState) -> StepFailed:
    control = run.world.roles[effect.mesh].installed_version(run.world.charts.releases())
    text = (
        f"{pod.namespace}/{pod.pod} came back at {pod.version}, wanted {effect.version}; what injects it is "
        f"{effect.mesh}'s control plane, which the charts say is at {control or 'no version'}"
    )
    hint = (
        "is its namespace bound to another revision, or the data plane still pinned? then `rackroll resume`"
    )
    return StepFailed(text, where=effect.node, hint=hint)


def evict_all(run: Run, effect: EvictAll) -> Done:
    """The cordon must stand all the while: on a node that takes pods this would never end.

    What is leaving is waited for and not evicted again: after a resume nobody here remembers having done it.
    """
    evicted: set[tuple[str, str]] = set()

    def look() -> str | None:
        if not node_state(run, effect.node).cordoned:
            raise StepFailed(
                "the cordon is gone", where=effect.node, hint="who took it off? then `rackroll resume`"
            )
        there = run.world.cluster.evictable(effect.node)
        for name, leaving in there.items():
            if not leaving and name not in evicted and run.world.cluster.evict(*name):
                evicted.add(name)
        return _staying([(*name, leaving or name in evicted) for name, leaving in there.items()])

    already = run.until(f"eviction of everything from {effect.node}", look, hint=BUDGETS)
    return _evicted(already, evicted)


def _staying(pods: Sequence[tuple[str, str, bool]]) -> str | None:
    """(namespace, pod, whether it is leaving) of what is still there."""
    names = [f"{namespace}/{pod}{' is leaving' if leaving else ''}" for namespace, pod, leaving in pods]
    return f"{', '.join(names)} still there" if names else None


def _evicted(already: bool, evicted: set[tuple[str, str]]) -> Done:
    counts = (("pods.evicted", len(evicted)),)
    return Done(Word.ALREADY if already else Word.DONE, f"{len(evicted)} pods", counts)


def _on(run: Run, node: str, mesh: str) -> tuple[ProxyState, ...]:
    return tuple(p for p in run.world.cluster.proxies(node) if (p.node, p.mesh) == (node, mesh))


def naive_replace(run: Run, effect: NaiveReplace) -> Done:
    """NEGATIVE CONTROL: no drain, no withdraw, no budget, every node at once."""
    pods = [p for p in run.world.cluster.proxies() if p.node in effect.nodes and p.mesh == effect.mesh]
    for pod in pods:
        run.world.cluster.delete_pod(pod.namespace, pod.pod)
    return Done(Word.DONE, f"{len(pods)} pods deleted at once", (("pods.deleted", len(pods)),))
