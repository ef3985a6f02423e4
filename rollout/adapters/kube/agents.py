"""Pods of a mesh's own components, and kubelets: who runs where at which version. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rollout.adapters.kube.images import UNKNOWN, container_image, image_version, plain
from rollout.adapters.kube.view import NodeView, PodView, condition
from rollout.model.observed import AgentState
from rollout.model.role import AgentKind

OVER = frozenset({"Succeeded", "Failed"})
MIRROR = "kubernetes.io/config.mirror"
REVISION = "istio.io/rev"
KUBERNETES = "kubernetes"


def agent_states(subject: str, kind: AgentKind, pods: Iterable[PodView]) -> Iterator[AgentState]:
    """``pods`` are those that the kind's labels select; finished ones are no agents any more."""
    for pod in pods:
        if pod.status.phase in OVER:
            continue
        yield AgentState(
            subject=subject,
            component=kind.component,
            namespace=pod.metadata.namespace,
            pod=pod.metadata.name,
            node=pod.spec.node_name or None,
            version=_version(kind, pod),
            ready=condition(pod.status.conditions, "Ready"),
            terminating=pod.metadata.deletion_timestamp is not None,
            revision=pod.metadata.labels.get(REVISION),
        )


def _version(kind: AgentKind, pod: PodView) -> str:
    if kind.version_label:
        return plain(pod.metadata.labels.get(kind.version_label, ""))
    return image_version(container_image(pod, kind.container) or "")


def kubelets(nodes: Iterable[NodeView]) -> Iterator[AgentState]:
    """A kubelet is no pod: it is known by its node, and is ready when the node is."""
    for node in nodes:
        name, version = node.metadata.name, node.status.node_info.kubelet_version
        yield AgentState(
            subject=KUBERNETES,
            component="kubelet",
            namespace="",
            pod=name,
            node=name,
            version=plain(version) or UNKNOWN,
            ready=condition(node.status.conditions, "Ready"),
            terminating=False,
        )


def is_agent(kinds: Iterable[AgentKind], pod: PodView) -> bool:
    """Whether the pod is one of these components: a ztunnel's container bears the name of a sidecar's."""
    labels = pod.metadata.labels.items()
    return any(k.namespace == pod.metadata.namespace and set(k.labels) <= labels for k in kinds)


def evictable(pod: PodView) -> bool:
    """What a drain would evict: a DaemonSet's pod would come back at once, a mirror pod is the kubelet's own."""
    owners = {owner.kind for owner in pod.metadata.owner_references if owner.controller}
    return (
        "DaemonSet" not in owners and MIRROR not in pod.metadata.annotations and pod.status.phase not in OVER
    )
