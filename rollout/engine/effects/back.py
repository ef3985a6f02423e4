"""The second half of the node transaction: Ready, back in service. Only our own marks are removed."""

from __future__ import annotations

from rollout.engine.context import Run
from rollout.engine.effects.leave import gateway_pods, node_state
from rollout.engine.join import own_next_hops
from rollout.engine.outcome import Done, Word
from rollout.errors import StepFailed
from rollout.model.observed import ProxyState
from rollout.model.step import Advertise, AwaitAdvertised, AwaitNodeReady, RestoreGateways, Uncordon


def await_node_ready(run: Run, effect: AwaitNodeReady) -> Done:
    def look() -> str | None:
        if not node_state(run, effect.node).ready:
            return "the node is NotReady"
        return _unready_gateways(run, effect)

    hint = f"kubectl get pods -A -o wide --field-selector spec.nodeName={effect.node}"
    already = run.until(f"{effect.node} Ready at {effect.version or 'any version'}", look, hint=hint)
    return Done(Word.ALREADY if already else Word.DONE)


def _unready_gateways(run: Run, effect: AwaitNodeReady) -> str | None:
    if not run.site.node(effect.node).gateway:
        return None
    proxies = gateway_pods(run, effect.node)
    for gateway in run.site.gateways:
        pods = [p for p in proxies if p.gateway == gateway.name]
        wanted = effect.version if gateway.mesh == effect.mesh else None
        if not any(p.ready and wanted in (None, p.version) for p in pods):
            return f"gateway {gateway.name}: {_seen(pods)}"
    return None


def _seen(pods: list[ProxyState]) -> str:
    seen = [f"{p.pod} at {p.version} is {'Ready' if p.ready else 'not Ready'}" for p in pods]
    return ", ".join(seen) or "no pod yet"


def restore_gateways(run: Run, effect: RestoreGateways) -> Done:
    """An Envoy that passes already does so still: whether it was drained need not be known."""
    pods = gateway_pods(run, effect.node)
    for pod in pods:
        _pass_health(run, pod)
    await_node_ready(run, AwaitNodeReady(effect.node, None, None))
    return Done(Word.DONE, f"{len(pods)} gateway pods")


def _pass_health(run: Run, pod: ProxyState) -> None:
    """A pod that is not Ready may be starting afresh and then was never drained; it is waited for either way."""
    try:
        run.world.cluster.pass_gateway_health(pod.namespace, pod.pod)
    except StepFailed:
        if pod.ready:
            raise


def uncordon(run: Run, effect: Uncordon) -> Done:
    """Someone else's cordon stays, and the plan goes on: routes do not depend on it."""
    state = node_state(run, effect.node)
    if not state.cordoned:
        return Done(Word.ALREADY)
    if state.owner != run.id:
        return Done(Word.ALREADY, f"cordoned by {state.owner or 'someone else'}: left as it is")
    run.world.cluster.uncordon(effect.node, run.id)
    return Done(Word.DONE)


def advertise(run: Run, effect: Advertise) -> Done:
    state = node_state(run, effect.node)
    if not state.excluded:
        return Done(Word.ALREADY)
    if state.owner != run.id:
        text = (
            f"{state.name} is excluded from load balancers by {state.owner or 'someone else'}: left as it is"
        )
        raise StepFailed(text, where=state.name, hint="ask who did it, undo it, then `rackroll resume`")
    run.world.cluster.include(effect.node, run.id)
    return Done(Word.DONE)


def await_advertised(run: Run, effect: AwaitAdvertised) -> Done:
    node = run.site.node(effect.node)

    def look() -> str | None:
        absent = [str(vip) for vip, there in own_next_hops(run.world, node).items() if not there]
        return f"no next-hop of {', '.join(absent)}" if absent else None

    hint = "is the gateway pod Ready? on the ToR `show bgp summary`; on the node the speaker's log"
    already = run.until(f"{node.name} back in its ToR's RIB", look, hint=hint)
    return Done(Word.ALREADY if already else Word.DONE)
