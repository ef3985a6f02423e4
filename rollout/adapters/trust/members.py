"""The pods that carry one mesh's proxy: where each shows its leaf, and under which name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from rollout.adapters.kube.api import KubeApi
from rollout.adapters.kube.proxies import proxy_states
from rollout.adapters.kube.reading import collected
from rollout.adapters.kube.view import PodView
from rollout.model.role import SubjectRole
from rollout.model.site import Mesh, Site
from rollout.model.trust import Socket


@dataclass(frozen=True, slots=True)
class Member:
    """``port`` 0 where it serves no mesh traffic itself (a gateway): its own Envoy is asked instead."""

    name: str
    namespace: str
    node: str
    address: str
    port: int
    account: str
    container: str


def members(
    site: Site, roles: Mapping[str, SubjectRole], mesh: Mesh, api: KubeApi, node: str | None
) -> tuple[Member, ...]:
    """Those that run and are not leaving, in namespace and name order."""
    role = roles[mesh.name]
    kind, way = role.proxies(), role.trust()
    if kind is None or way is None:
        return ()

    def make(pod: PodView) -> Member | None:
        state = next(iter(proxy_states(site, roles, (pod,))), None)
        if state is None or state.mesh != mesh.name or state.terminating or pod.status.phase != "Running":
            return None
        port = 0 if state.gateway else _port(pod, kind.container, way.socket)
        meta, spec = pod.metadata, pod.spec
        return Member(
            meta.name,
            meta.namespace,
            state.node or "",
            pod.status.pod_ip,
            port,
            spec.service_account_name,
            kind.container,
        )

    query = {} if node is None else {"fieldSelector": f"spec.nodeName={node}"}
    found = collected(api, PodView, "/api/v1/pods", query, make)
    return tuple(sorted(found, key=lambda each: (each.namespace, each.name)))


def _port(pod: PodView, proxy: str, socket: Socket) -> int:
    return socket.port or next(_app_ports(pod, proxy), 0)


def _app_ports(pod: PodView, proxy: str) -> Iterator[int]:
    for container in pod.spec.containers:
        if container.name != proxy:
            yield from (port.container_port for port in container.ports)
