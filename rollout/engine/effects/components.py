"""Components that are no proxies: agents replaced on a node, servers moved one by one, versions waited for.

A version here is the component's own, as its pods call themselves.
"""

from __future__ import annotations

from collections.abc import Collection

from rollout.engine.context import Run
from rollout.engine.outcome import Done, Word
from rollout.errors import StepFailed
from rollout.model.observed import AgentState, ProxyState
from rollout.model.step import AwaitVersion, MoveServer, ReplaceAgents

Instance = AgentState | ProxyState


def await_version(run: Run, effect: AwaitVersion) -> Done:
    wanted = effect.version

    def look() -> str | None:
        found = _instances(run, effect)
        if not found and effect.component == "apiserver":
            return _api_server(run, wanted)
        return _lacking(found, wanted) or _absent(run, effect, found)

    where = f" on {effect.node}" if effect.node else ""
    what = f"{effect.subject}'s {effect.component}{where} at {wanted}"
    already = run.until(what, look, hint="kubectl get pods -A -o wide; kubectl get nodes -o wide")
    return Done(Word.ALREADY if already else Word.DONE)


def _instances(run: Run, effect: AwaitVersion) -> list[Instance]:
    """Those that are not leaving; proxies too where the role's proxies bear the component's name."""
    agents = run.world.cluster.agents(effect.node, effect.subject)
    kind = (effect.subject, effect.component)
    found: list[Instance] = [a for a in agents if (a.subject, a.component) == kind and not a.terminating]
    role = run.world.roles.get(effect.subject)
    proxy = role.proxies() if role else None
    if proxy is not None and proxy.component == effect.component:
        proxies = run.world.cluster.proxies(effect.node)
        found += [p for p in proxies if p.mesh == effect.subject and p.node and not p.terminating]
    return found


def _absent(run: Run, effect: AwaitVersion, found: Collection[Instance]) -> str | None:
    """A DaemonSet's first pod is not all of it: some components must be wherever another one is."""
    role = run.world.roles[effect.subject]
    beside = {kind.beside for kind in role.agents() if kind.component == effect.component} - {""}
    if not beside:
        return None
    agents = run.world.cluster.agents(effect.node)
    wanted = {a.node or "" for a in agents if a.subject == effect.subject and a.component in beside}
    nodes = sorted(wanted - {one.node for one in found})
    return f"not on {', '.join(nodes)} yet" if nodes else None


def _api_server(run: Run, wanted: str) -> str | None:
    """Where nobody sees its pods (a managed control plane) the API says itself what it is."""
    found = run.world.cluster.version().removeprefix("v")
    return None if found == wanted else f"the API server says {found}"


def _lacking(found: Collection[Instance], wanted: str) -> str | None:
    short = [one for one in found if not (one.ready and one.version == wanted)]
    if not found:
        return "nothing of it was seen"
    return f"{len(short)} of {len(found)} are not there yet, first {_told(short[0])}" if short else None


def _told(one: Instance) -> str:
    where = f" on {one.node}" if one.node and one.node != one.pod else ""
    return f"{one.pod}{where} at {one.version or 'no version'}, {'Ready' if one.ready else 'not Ready'}"


def replace_agents(run: Run, effect: ReplaceAgents) -> Done:
    """One component after another. What is at the version stays, so a second delivery deletes nothing."""
    deleted = sum(_replaced(run, effect, component) for component in effect.components)
    word = Word.DONE if deleted else Word.ALREADY
    return Done(word, f"{deleted} pods replaced", (("agents.replaced", deleted),))


def _replaced(run: Run, effect: ReplaceAgents, component: str) -> int:
    wanted = effect.version
    deleted: set[tuple[str, str]] = set()

    def look() -> str | None:
        pods = _agents_of(run, effect, component)
        old = [pod for pod in pods if pod.version != wanted and not pod.terminating]
        strangers = [pod for pod in old if (pod.namespace, pod.pod) not in deleted]
        if strangers and deleted:
            raise _came_back(strangers[0], wanted)
        for pod in strangers:
            run.world.cluster.delete_pod(pod.namespace, pod.pod)
            deleted.add((pod.namespace, pod.pod))
        leaving = [pod for pod in pods if pod.terminating or pod.version != wanted]
        return f"{leaving[0].pod} is leaving" if leaving else _lacking(pods, wanted)

    hint = f"kubectl get pods -A -o wide --field-selector spec.nodeName={effect.node}"
    run.until(f"{effect.subject}'s {component} on {effect.node} at {wanted}", look, hint=hint)
    return len(deleted)


def _agents_of(run: Run, effect: ReplaceAgents, component: str) -> list[AgentState]:
    kind = (effect.node, effect.subject, component)
    return [
        a
        for a in run.world.cluster.agents(effect.node, effect.subject)
        if (a.node, a.subject, a.component) == kind
    ]


def _came_back(pod: AgentState, wanted: str) -> StepFailed:
    """Deleting it again would bring the same again."""
    text = f"{pod.namespace}/{pod.pod} came back at {pod.version or 'no version'}, wanted {wanted}"
    hint = "its DaemonSet says another version: see `helm history` and the DaemonSet's image, then plan again"
    return StepFailed(text, where=pod.node or "", hint=hint)


def move_server(run: Run, effect: MoveServer) -> Done:
    """Every other server is Ready before and after; the partition goes down to this ordinal, no further."""
    wanted = effect.version
    name = f"{effect.workload}-{effect.ordinal}"
    hint = (
        f"kubectl -n {effect.namespace} get pods -o wide; kubectl -n {effect.namespace} describe pod {name}"
    )
    run.until(f"the other servers of {effect.workload}", lambda: _others(run, effect), hint=hint)
    there = _moved(run, effect, name, wanted) is None
    run.world.cluster.set_partition(effect.namespace, effect.workload, effect.ordinal)
    run.until(f"{name} at {wanted}", lambda: _moved(run, effect, name, wanted), hint=hint)
    run.until(f"every server of {effect.workload}", lambda: _others(run, effect), hint=hint)
    return Done(Word.ALREADY if there else Word.DONE, name)


def _servers(run: Run, effect: MoveServer) -> dict[str, AgentState]:
    kind = (effect.subject, effect.component, effect.namespace)
    found = (
        a
        for a in run.world.cluster.agents(subject=effect.subject)
        if (a.subject, a.component, a.namespace) == kind
    )
    return {agent.pod: agent for agent in found if agent.pod.startswith(f"{effect.workload}-")}


def _others(run: Run, effect: MoveServer) -> str | None:
    """All ordinals up to the highest that is seen; one in the middle that is missing is not Ready."""
    found = _servers(run, effect)
    seen = [int(tail) for name in found if (tail := name.rpartition("-")[2]).isdigit()]
    names = [f"{effect.workload}-{n}" for n in range(max([*seen, effect.ordinal]) + 1) if n != effect.ordinal]
    short = [n for n in names if n not in found or found[n].terminating or not found[n].ready]
    return f"{', '.join(short)} not Ready" if short else None


def _moved(run: Run, effect: MoveServer, name: str, wanted: str) -> str | None:
    server = _servers(run, effect).get(name)
    if server is None or server.terminating:
        return f"{name} is on its way"
    return _lacking([server], wanted)
