"""Pods, budgets and pulled images as the Kubernetes API tells them: what the checks before a drain look at."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any
from urllib.parse import quote

from pydantic import BeforeValidator, Field

from rollout.adapters.kube.agents import OVER, evictable
from rollout.adapters.kube.api import KubeApi, connect
from rollout.adapters.kube.proxies import proxy_states
from rollout.adapters.kube.reading import collected, listed, read
from rollout.adapters.kube.view import Meta, PodSpec, PodView, View, condition
from rollout.model.image import canonical
from rollout.model.role import SubjectRole
from rollout.model.site import Site
from rollout.model.workload import Budget, NodeImages, PodState, Requirement, Selector

KUBELET_LISTS = 50
"""The kubelet's nodeStatusMaxImages: a list of exactly this length was cut, or happens to be that long."""

_WISHES = ("sidecar.istio.io/inject", "linkerd.io/inject", "consul.hashicorp.com/connect-inject")
_YES = frozenset({"true", "enabled", "ingress"})


class KubeWorkloads:
    """Implements :class:`rollout.engine.ports.Workloads`."""

    def __init__(self, site: Site, roles: Mapping[str, SubjectRole], api: KubeApi | None = None) -> None:
        self._site = site
        self._roles = roles
        self._given = api

    @cached_property
    def _api(self) -> KubeApi:
        return self._given or connect(self._site.kubernetes)

    def pods(self, node: str | None = None) -> tuple[PodState, ...]:
        query = {"fieldSelector": f"spec.nodeName={node}"} if node else {}
        states = collected(self._api, _Pod, "/api/v1/pods", query, self._state)
        return tuple(sorted(states, key=lambda state: (state.namespace, state.name)))

    def _state(self, view: _Pod) -> PodState | None:
        if view.status.phase in OVER:
            return None
        proxies = proxy_states(self._site, self._roles, (view,))
        return _pod(view, (proxies[0].mesh, proxies[0].version) if proxies else None)

    def budgets(self) -> tuple[Budget, ...]:
        views = listed(self._api, _BudgetView, "/apis/policy/v1/poddisruptionbudgets")
        return tuple(sorted(map(_budget, views), key=lambda budget: (budget.namespace, budget.name)))

    def images(self, node: str) -> NodeImages:
        """No list at all is an incomplete one: some image runs on every node that runs anything."""
        found = read(self._api, _NodeView, f"/api/v1/nodes/{quote(node)}").status.images
        names = frozenset(canonical(name) for image in found for name in image.names)
        return NodeImages(names, complete=len(found) not in (0, KUBELET_LISTS))


def _nothing(value: Any) -> Any:
    return {} if value is None else value


def _no_items(value: Any) -> Any:
    return [] if value is None else value


class _Spec(PodSpec):
    host_network: bool = False


class _Pod(PodView):
    spec: _Spec


class _Expression(View):
    key: str
    operator: str
    values: Annotated[list[str], BeforeValidator(_no_items)] = Field(default_factory=list)


class _SelectorView(View):
    match_labels: Annotated[dict[str, str], BeforeValidator(_nothing)] = Field(default_factory=dict)
    match_expressions: Annotated[list[_Expression], BeforeValidator(_no_items)] = Field(default_factory=list)


class _BudgetSpec(View):
    selector: _SelectorView | None = None
    unhealthy_pod_eviction_policy: str = "IfHealthyBudget"


class _BudgetStatus(View):
    observed_generation: int = 0
    disruptions_allowed: int = 0
    current_healthy: int = 0
    desired_healthy: int = 0
    expected_pods: int = 0


class _BudgetView(View):
    metadata: Meta
    spec: Annotated[_BudgetSpec, BeforeValidator(_nothing)] = Field(default_factory=_BudgetSpec)
    status: Annotated[_BudgetStatus, BeforeValidator(_nothing)] = Field(default_factory=_BudgetStatus)


class _Image(View):
    names: Annotated[list[str], BeforeValidator(_no_items)] = Field(default_factory=list)


class _NodeStatus(View):
    images: Annotated[list[_Image], BeforeValidator(_no_items)] = Field(default_factory=list)


class _NodeView(View):
    status: Annotated[_NodeStatus, BeforeValidator(_nothing)] = Field(default_factory=_NodeStatus)


def _pod(pod: _Pod, proxy: tuple[str, str] | None) -> PodState:
    containers = (*pod.spec.containers, *pod.spec.init_containers)
    return PodState(
        namespace=pod.metadata.namespace,
        name=pod.metadata.name,
        node=pod.spec.node_name or None,
        labels=pod.metadata.labels,
        images=tuple(dict.fromkeys(container.image for container in containers if container.image)),
        ready=condition(pod.status.conditions, "Ready"),
        evictable=evictable(pod),
        terminating=pod.metadata.deletion_timestamp is not None,
        proxy=proxy,
        asked=_asked(pod),
        pending=pod.status.phase in ("", "Pending"),
    )


def _asked(pod: _Pod) -> bool | None:
    """Labels win over annotations, as in Istio; a pod on the host's network is never injected."""
    if pod.spec.host_network:
        return False
    said = {**pod.metadata.annotations, **pod.metadata.labels}
    wish = next((said[key] for key in _WISHES if key in said), None)
    return None if wish is None else wish in _YES


def _budget(view: _BudgetView) -> Budget:
    status = view.status
    return Budget(
        namespace=view.metadata.namespace,
        name=view.metadata.name,
        selector=_selector(view.spec.selector),
        allowed=status.disruptions_allowed,
        healthy=status.current_healthy,
        desired=status.desired_healthy,
        expected=status.expected_pods,
        seen=status.observed_generation >= view.metadata.generation,
        spare_unready=view.spec.unhealthy_pod_eviction_policy == "AlwaysAllow",
    )


def _selector(view: _SelectorView | None) -> Selector | None:
    if view is None:
        return None
    labels = (Requirement(key, "In", (value,)) for key, value in view.match_labels.items())
    rest = (Requirement(each.key, each.operator, tuple(each.values)) for each in view.match_expressions)
    return Selector((*labels, *rest))
