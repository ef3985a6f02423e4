"""The engine's words for the Kubernetes API. One instance per site; two threads may use it at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, TypeVar
from urllib.parse import quote

from pydantic import BaseModel

from rollout.adapters.kube.agents import KUBERNETES, agent_states, evictable, kubelets
from rollout.adapters.kube.api import MERGE, KubeApi, Refused, connect, failed
from rollout.adapters.kube.applying import FIELD_MANAGER, Applying
from rollout.adapters.kube.boots import node_boot
from rollout.adapters.kube.execute import Container, run_in_container
from rollout.adapters.kube.marks import Mark, Patch, clear_mark, read_marks, set_mark, setter
from rollout.adapters.kube.proxies import proxy_kind, proxy_states
from rollout.adapters.kube.reading import collected, listed, parsed
from rollout.adapters.kube.view import DeploymentView, NodeView, PodView, SliceView, condition
from rollout.errors import StepFailed
from rollout.model.mesh import Gateway
from rollout.model.observed import AgentState, NodeBoot, NodeState, ProxyState
from rollout.model.role import AgentKind, Json, ProxyKind, SubjectRole
from rollout.model.site import Site

_ATTEMPTS = 6  # of a read-and-patch that somebody else's writes get in between

V = TypeVar("V", bound=BaseModel)
Change = Callable[[NodeView, Mark, str, str], Patch | None]


class KubeCluster:
    """Implements :class:`rollout.engine.ports.Cluster`."""

    def __init__(
        self, site: Site, roles: Mapping[str, SubjectRole] | None = None, api: KubeApi | None = None
    ) -> None:
        """Without ``roles`` no proxy and no agent is known for what it is; the rest works."""
        self._site = site
        self._roles = roles or {}
        self._given = api

    @cached_property
    def _api(self) -> KubeApi:
        """At first use: a site may be looked at before its cluster and its kubeconfig are there."""
        return self._given or connect(self._site.kubernetes)

    @cached_property
    def _applying(self) -> Applying:
        return Applying(self._api)

    def version(self) -> str:
        """As the server writes it, such as v1.35.8."""
        return str(self._read("/version", "ask for the version").get("gitVersion", ""))

    def nodes(self, name: str | None = None) -> tuple[NodeState, ...]:
        found = self._list(NodeView, "/api/v1/nodes") if name is None else self._node(name)
        return tuple(sorted((_node_state(node) for node in found), key=lambda state: state.name))

    def _node(self, name: str) -> tuple[NodeView, ...]:
        """By its name and not by a field selector: for that the server would look through every node it has."""
        try:
            return (self._parse(NodeView, self._api.get(f"/api/v1/nodes/{quote(name)}")),)
        except Refused as refused:
            if refused.refusal.code == 404:
                return ()
            raise failed(refused, self._api.where, f"cannot read node {name}") from None

    def boot(self, node: str) -> NodeBoot | None:
        return node_boot(self._api, self._site, self._roles, node)

    def proxies(self, node: str | None = None) -> tuple[ProxyState, ...]:
        query = _only("spec.nodeName", node)
        found = collected(self._api, PodView, "/api/v1/pods", query, self._proxy)
        return tuple(sorted(found, key=lambda state: (state.namespace, state.pod)))

    def _proxy(self, pod: PodView) -> ProxyState | None:
        return next(iter(proxy_states(self._site, self._roles, (pod,))), None)

    def agents(self, node: str | None = None, subject: str | None = None) -> tuple[AgentState, ...]:
        """Per component one list by its labels; in an order that does not depend on the server."""
        states = [
            state
            for role in self._roles.values()
            if subject in (None, role.name)
            for kind in role.agents()
            for state in agent_states(role.name, kind, self._selected(kind, node))
        ]
        if subject in (None, KUBERNETES):
            states += kubelets(self._list(NodeView, "/api/v1/nodes") if node is None else self._node(node))
        return tuple(sorted(states, key=lambda s: (s.subject, s.component, s.namespace, s.pod)))

    def evictable(self, node: str) -> dict[tuple[str, str], bool]:
        pods = self._list(PodView, "/api/v1/pods", **_only("spec.nodeName", node))
        metas = sorted((p.metadata for p in pods if evictable(p)), key=lambda m: (m.namespace, m.name))
        return {(meta.namespace, meta.name): meta.deletion_timestamp is not None for meta in metas}

    def ready_gateway_nodes(self, gateway: Gateway) -> frozenset[str]:
        """By EndpointSlices, which is what MetalLB and kube-proxy go by; terminating is not ready."""
        path = f"/apis/discovery.k8s.io/v1/namespaces/{quote(gateway.namespace)}/endpointslices"
        slices = self._list(SliceView, path, labelSelector=f"kubernetes.io/service-name={gateway.name}")
        endpoints = (endpoint for piece in slices for endpoint in piece.endpoints)
        return frozenset(
            endpoint.node_name
            for endpoint in endpoints
            if endpoint.node_name and endpoint.conditions.ready and not endpoint.conditions.terminating
        )

    def apply(self, objects: Sequence[Json]) -> int:
        """Server-side; how many of them were not so yet."""
        return sum(self._applying.apply(item) for item in objects)

    def deployment_ready(self, namespace: str, name: str) -> tuple[bool, str]:
        path = f"/apis/apps/v1/namespaces/{quote(namespace)}/deployments/{quote(name)}"
        try:
            found = self._parse(DeploymentView, self._api.get(path))
        except Refused as refused:
            if refused.refusal.code == 404:
                return False, f"there is no Deployment {namespace}/{name}"
            raise failed(refused, self._api.where, f"cannot read Deployment {namespace}/{name}") from None
        return _rollout(found)

    def cordon(self, node: str, run: str) -> None:
        self._mark(node, Mark.CORDON, run, set_mark)

    def uncordon(self, node: str, run: str) -> None:
        self._mark(node, Mark.CORDON, run, clear_mark)

    def exclude(self, node: str, run: str) -> None:
        self._mark(node, Mark.EXCLUDE, run, set_mark)

    def include(self, node: str, run: str) -> None:
        self._mark(node, Mark.EXCLUDE, run, clear_mark)

    def evict(self, namespace: str, pod: str) -> bool:
        """A pod that is gone counts as evicted; 429 is the PodDisruptionBudget's "not yet"."""
        body = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": pod, "namespace": namespace},
        }
        try:
            self._api.request("POST", f"{_pod_path(namespace, pod)}/eviction", body=body)
        except Refused as refused:
            match refused.refusal.code:
                case 404:
                    return True
                case 429:
                    return False
            raise failed(refused, self._api.where, f"cannot evict {namespace}/{pod}") from None
        return True

    def delete_pod(self, namespace: str, pod: str) -> None:
        try:
            self._api.request("DELETE", _pod_path(namespace, pod))
        except Refused as refused:
            if refused.refusal.code != 404:
                raise failed(refused, self._api.where, f"cannot delete {namespace}/{pod}") from None

    def set_partition(self, namespace: str, statefulset: str, partition: int) -> None:
        path = f"/apis/apps/v1/namespaces/{quote(namespace)}/statefulsets/{quote(statefulset)}"
        strategy = {"type": "RollingUpdate", "rollingUpdate": {"partition": partition}}
        body = {"spec": {"updateStrategy": strategy}}
        query = {"fieldManager": FIELD_MANAGER}
        try:
            self._api.request("PATCH", path, query=query, body=body, content_type=MERGE)
        except Refused as refused:
            what = f"cannot set the partition of StatefulSet {namespace}/{statefulset}"
            raise failed(refused, self._api.where, what) from None

    def fail_gateway_health(self, namespace: str, pod: str) -> None:
        kind = self._proxy_of(namespace, pod)
        self._in_proxy(namespace, pod, kind, kind.fail_health if kind else ())

    def pass_gateway_health(self, namespace: str, pod: str) -> None:
        kind = self._proxy_of(namespace, pod)
        self._in_proxy(namespace, pod, kind, kind.pass_health if kind else ())

    def _proxy_of(self, namespace: str, pod: str) -> ProxyKind | None:
        raw = self._read(_pod_path(namespace, pod), f"read pod {namespace}/{pod}")
        return proxy_kind(self._roles, self._parse(PodView, raw))

    def _in_proxy(self, namespace: str, pod: str, kind: ProxyKind | None, command: Sequence[str]) -> None:
        if kind and command:
            run_in_container(self._api, Container(namespace, pod, kind.container), command)

    def _selected(self, kind: AgentKind, node: str | None) -> tuple[PodView, ...]:
        path = f"/api/v1/namespaces/{quote(kind.namespace)}/pods"
        labels = ",".join(f"{name}={value}" for name, value in kind.labels)
        return self._list(PodView, path, labelSelector=labels, **_only("spec.nodeName", node))

    def _mark(self, node: str, mark: Mark, run: str, change: Change) -> None:
        """Read, decide, patch at the version read; kubelets write to Nodes all the time, so try again on 409."""
        path = f"/api/v1/nodes/{quote(node)}"
        for _ in range(_ATTEMPTS):
            raw = self._read(path, f"read node {node}")
            patch = change(self._parse(NodeView, raw), mark, run, setter(raw, mark))
            if patch is None or self._patched(path, node, patch):
                return
        raise StepFailed(
            f"node {node} changed {_ATTEMPTS} times while it was being marked", where=self._api.where
        )

    def _patched(self, path: str, node: str, patch: Patch) -> bool:
        query = {"fieldManager": FIELD_MANAGER}
        try:
            self._api.request("PATCH", path, query=query, body=patch, content_type=MERGE)
        except Refused as refused:
            if refused.refusal.code == 409:
                return False
            raise failed(refused, self._api.where, f"cannot mark node {node}") from None
        return True

    def _read(self, path: str, doing: str, hint: str = "") -> dict[str, Any]:
        try:
            return self._api.get(path)
        except Refused as refused:
            raise failed(refused, self._api.where, f"cannot {doing}", hint) from None

    def _list(self, view: type[V], path: str, **query: str) -> tuple[V, ...]:
        return listed(self._api, view, path, **query)

    def _parse(self, view: type[V], item: object) -> V:
        return parsed(self._api, view, item)


def _only(field: str, value: str | None) -> dict[str, str]:
    return {} if value is None else {"fieldSelector": f"{field}={value}"}


def _pod_path(namespace: str, pod: str) -> str:
    return f"/api/v1/namespaces/{quote(namespace)}/pods/{quote(pod)}"


def _node_state(node: NodeView) -> NodeState:
    marks = read_marks(node)
    return NodeState(
        name=node.metadata.name,
        ready=condition(node.status.conditions, "Ready"),
        cordoned=Mark.CORDON in marks.present,
        excluded=Mark.EXCLUDE in marks.present,
        owner=marks.owner,
        kubelet=node.status.node_info.kubelet_version or None,
    )


def _rollout(found: DeploymentView) -> tuple[bool, str]:
    """Ready means that every replica is of the newest template; old ones that still run are not counted in."""
    want, status = found.spec.replicas, found.status
    name = f"{found.metadata.namespace}/{found.metadata.name}"
    if status.observed_generation < found.metadata.generation:
        return False, f"{name}: the newest change was not seen by its controller yet"
    if status.updated_replicas < want or status.replicas > status.updated_replicas:
        return False, f"{name}: {status.updated_replicas} of {want} replicas are of the newest template"
    ready = min(status.ready_replicas, status.available_replicas)
    return ready >= want, f"{name}: {ready} of {want} replicas are ready"
