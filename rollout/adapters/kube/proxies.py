"""Which pods carry a mesh proxy, at which version, and for which gateway. Pure; roles say what a proxy looks like."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from rollout.adapters.kube.agents import OVER, is_agent
from rollout.adapters.kube.images import UNKNOWN, container_image, image_version
from rollout.adapters.kube.view import PodView, condition
from rollout.model.mesh import Gateway, Mesh
from rollout.model.observed import ProxyState
from rollout.model.role import ProxyKind, SubjectRole
from rollout.model.site import Site

Roles = Mapping[str, SubjectRole]


def proxy_states(site: Site, roles: Roles, pods: Iterable[PodView]) -> tuple[ProxyState, ...]:
    """In namespace and name order, so that the digest of what was observed does not depend on the server."""
    states = [state for pod in pods if (state := _state(site, roles, pod))]
    return tuple(sorted(states, key=lambda state: (state.namespace, state.pod)))


def proxy_kind(roles: Roles, pod: PodView) -> ProxyKind | None:
    """The first role's word for what is in the pod; None for one without a proxy and for a role's own agents."""
    kinds = [kind for role in roles.values() if (kind := role.proxies())]
    found = next((kind for kind in kinds if container_image(pod, kind.container) is not None), None)
    if found and is_agent((kind for role in roles.values() for kind in role.agents()), pod):
        return None
    return found


def _state(site: Site, roles: Roles, pod: PodView) -> ProxyState | None:
    kind = proxy_kind(roles, pod)
    if kind is None or pod.status.phase in OVER:
        return None
    gateway = _gateway(site, kind, pod)
    return ProxyState(
        pod=pod.metadata.name,
        namespace=pod.metadata.namespace,
        node=pod.spec.node_name or None,
        mesh=gateway.mesh if gateway else _mesh(site, roles, kind, pod.metadata.namespace),
        version=image_version(container_image(pod, kind.container) or ""),
        gateway=gateway.name if gateway else None,
        ready=condition(pod.status.conditions, "Ready"),
        terminating=pod.metadata.deletion_timestamp is not None,
    )


def _gateway(site: Site, kind: ProxyKind, pod: PodView) -> Gateway | None:
    name, namespace = pod.metadata.labels.get(kind.gateway_label), pod.metadata.namespace
    return next((g for g in site.gateways if (g.name, g.namespace) == (name, namespace)), None)


def _mesh(site: Site, roles: Roles, kind: ProxyKind, namespace: str) -> str:
    """A proxy outside every claimed namespace belongs to the only mesh with such proxies, or to nobody we know."""
    candidates = [mesh for mesh in site.meshes if _has(roles, mesh, kind)]
    claimed = next((mesh for mesh in candidates if namespace in mesh.namespaces), None)
    found = claimed or (candidates[0] if len(candidates) == 1 else None)
    return found.name if found else UNKNOWN


def _has(roles: Roles, mesh: Mesh, kind: ProxyKind) -> bool:
    own = roles[mesh.name].proxies() if mesh.name in roles else None
    return own is not None and own.container == kind.container
