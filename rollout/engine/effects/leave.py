"""The first half of the node transaction: out of service, then emptied. Marks carry the run id."""

from __future__ import annotations

from rollout.engine.context import Run
from rollout.engine.join import own_next_hops
from rollout.engine.outcome import Done, Word
from rollout.errors import StepFailed
from rollout.model.observed import NodeState, ProxyState
from rollout.model.step import AwaitWithdrawn, Cordon, DrainGateways, Evict, NaiveReplace, Withdraw


def node_state(run: Run, name: str) -> NodeState:
    for state in run.world.cluster.nodes():
        if state.name == name:
            return state
    raise StepFailed(f"the cluster has no node {name}", where=name, hint="join it to the cluster again")


def drain_gateways(run: Run, effect: DrainGateways) -> Done:
    """Failing an Envoy that is already failing changes nothing, so a second delivery only waits again."""
    pods = [
        p for p in run.world.cluster.proxies() if p.node == effect.node and p.gateway and not p.terminating
    ]
    for pod in pods:
        _fail_health(run, pod)
    run.pause(effect.wait)
    return Done(Word.DONE, f"{len(pods)} gateway pods")


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
    """Never touches a pod at the target version, so delivering this twice evicts nothing twice."""
    evicted: set[tuple[str, str]] = set()

    def look() -> str | None:
        old = [p for p in _on(run, effect.node, effect.mesh) if p.version != effect.version]
        for pod in old:
            if not pod.terminating and run.world.cluster.evict(pod.namespace, pod.pod):
                evicted.add((pod.namespace, pod.pod))
        waiting = [f"{p.namespace}/{p.pod}{' is leaving' if p.terminating else ''}" for p in old]
        return f"{', '.join(waiting)} still there" if waiting else None

    hint = "kubectl get pdb -A: which budget says no?"
    already = run.until(f"eviction from {effect.node}", look, hint=hint)
    return Done(
        Word.ALREADY if already else Word.DONE, f"{len(evicted)} pods", (("pods.evicted", len(evicted)),)
    )


def _on(run: Run, node: str, mesh: str) -> tuple[ProxyState, ...]:
    return tuple(p for p in run.world.cluster.proxies() if (p.node, p.mesh) == (node, mesh))


def naive_replace(run: Run, effect: NaiveReplace) -> Done:
    """NEGATIVE CONTROL: no drain, no withdraw, no budget, every node at once."""
    pods = [p for p in run.world.cluster.proxies() if p.node in effect.nodes and p.mesh == effect.mesh]
    for pod in pods:
        run.world.cluster.delete_pod(pod.namespace, pod.pod)
    return Done(Word.DONE, f"{len(pods)} pods deleted at once", (("pods.deleted", len(pods)),))
