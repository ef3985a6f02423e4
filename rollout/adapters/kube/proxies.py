"""Which pods carry a mesh proxy, at which version, and for which gateway. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from rollout.adapters.kube.view import PodView, condition
from rollout.model.observed import ProxyState
from rollout.model.site import Gateway, Mesh, MeshKind, Site

CONTAINER = "istio-proxy"
UNKNOWN = "unknown"
_VARIANTS = ("-distroless", "-debug")
_OVER = frozenset({"Succeeded", "Failed"})


def proxy_states(site: Site, pods: Iterable[PodView]) -> tuple[ProxyState, ...]:
    """In namespace and name order, so that the digest of what was observed does not depend on the server."""
    states = [state for pod in pods if (state := _state(site, pod))]
    return tuple(sorted(states, key=lambda state: (state.namespace, state.pod)))


def mesh_version(image: str) -> str:
    """``docker.io/istio/proxyv2:1.30.3-distroless@sha256:...`` is 1.30.3; without a tag nobody knows."""
    name, _, tag = image.split("@", 1)[0].rpartition(":")
    if not name or "/" in tag:
        return UNKNOWN
    for variant in _VARIANTS:
        tag = tag.removesuffix(variant)
    return tag


def _state(site: Site, pod: PodView) -> ProxyState | None:
    image = _proxy_image(pod)
    if image is None or pod.status.phase in _OVER:
        return None
    gateway = _gateway(site, pod)
    return ProxyState(
        pod=pod.metadata.name,
        namespace=pod.metadata.namespace,
        node=pod.spec.node_name or None,
        mesh=gateway.mesh if gateway else _mesh(site, pod.metadata.namespace),
        version=mesh_version(image),
        gateway=gateway.name if gateway else None,
        ready=condition(pod.status.conditions, "Ready"),
        terminating=pod.metadata.deletion_timestamp is not None,
    )


def _proxy_image(pod: PodView) -> str | None:
    """A native sidecar is an init container that keeps running: Istio injects those by default since 1.27."""
    both = (*pod.spec.containers, *pod.spec.init_containers)
    return next((container.image for container in both if container.name == CONTAINER), None)


def _gateway(site: Site, pod: PodView) -> Gateway | None:
    """The gateway chart labels its pods ``app: <release>``; the release has the gateway's name."""
    app, namespace = pod.metadata.labels.get("app"), pod.metadata.namespace
    return next((g for g in site.gateways if (g.name, g.namespace) == (app, namespace)), None)


def _mesh(site: Site, namespace: str) -> str:
    """A sidecar outside every claimed namespace belongs to the only Istio there is, or to nobody we know."""
    istios = [mesh for mesh in site.meshes if mesh.kind is MeshKind.ISTIO]
    claimed = next((mesh for mesh in istios if namespace in mesh.namespaces), None)
    return _name(claimed or (istios[0] if len(istios) == 1 else None))


def _name(mesh: Mesh | None) -> str:
    return mesh.name if mesh else UNKNOWN
