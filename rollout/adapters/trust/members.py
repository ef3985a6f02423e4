"""The pods that are parties of one mesh's trust, by a proxy of their own or through their node's agent: where each
shows its leaf, and under which name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from rollout.adapters.kube.api import KubeApi
from rollout.adapters.kube.proxies import proxy_states
from rollout.adapters.kube.reading import collected
from rollout.adapters.kube.view import PodView
from rollout.model.mesh import Mesh
from rollout.model.role import SubjectRole
from rollout.model.site import Site
from rollout.model.trust import Socket, TrustWay


@dataclass(frozen=True, slots=True)
class Member:
    """``port`` 0 where it serves no mesh traffic itself (a gateway): its own Envoy is asked instead. ``held_by`` is the
    agent that holds its key."""

    name: str
    namespace: str
    node: str
    address: str
    port: int
    account: str
    container: str
    leaving: bool = False
    held_by: str = ""


def members(
    site: Site, roles: Mapping[str, SubjectRole], mesh: Mesh, api: KubeApi, node: str | None
) -> tuple[Member, ...]:
    """Those that run, in namespace and name order; one that is leaving serves its leaf until it is gone."""
    role = roles[mesh.name]
    kind, way = role.proxies(), role.trust()
    if kind is None or way is None:
        return ()

    def make(pod: PodView) -> Member | None:
        if pod.status.phase != "Running":
            return None
        state = next(iter(proxy_states(site, roles, (pod,))), None)
        if state is None:
            return _through_agent(pod, way)
        if state.mesh != mesh.name:
            return None
        return _member(pod, kind.container, 0 if state.gateway else _port(pod, kind.container, way.socket))

    query = {} if node is None else {"fieldSelector": f"spec.nodeName={node}"}
    found = collected(api, PodView, "/api/v1/pods", query, make)
    return tuple(sorted(found, key=lambda each: (each.namespace, each.name)))


def _through_agent(pod: PodView, way: TrustWay) -> Member | None:
    """A pod without a proxy whose traffic its node's agent carries, and says so."""
    name, value = way.agent_mark
    if not way.agent or pod.metadata.annotations.get(name) != value:
        return None
    return replace(_member(pod, "", way.socket.port), held_by=way.agent)


def _member(pod: PodView, container: str, port: int) -> Member:
    meta, spec = pod.metadata, pod.spec
    leaving = meta.deletion_timestamp is not None
    account = spec.service_account_name
    return Member(
        meta.name,
        meta.namespace,
        spec.node_name or "",
        pod.status.pod_ip,
        port,
        account,
        container,
        leaving,
    )


def _port(pod: PodView, proxy: str, socket: Socket) -> int:
    return socket.port or next(_app_ports(pod, proxy), 0)


def _app_ports(pod: PodView, proxy: str) -> Iterator[int]:
    for container in pod.spec.containers:
        if container.name != proxy:
            yield from (port.container_port for port in container.ports)
