"""Which boot of a node the API speaks of: what its kubelet last wrote, not what is so."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote

from pydantic import BeforeValidator, Field

from rollout.adapters.kube.api import KubeApi, Refused, failed
from rollout.adapters.kube.proxies import Roles, proxy_states
from rollout.adapters.kube.reading import listed, parsed
from rollout.adapters.kube.view import Condition, PodStatus, PodView, View
from rollout.model.observed import NodeBoot
from rollout.model.site import Site


def node_boot(api: KubeApi, site: Site, roles: Roles, name: str) -> NodeBoot | None:
    """None if there is no such node. Ready is Kubernetes' word, which outlives a kubelet by its grace of 40 s."""
    try:
        node = parsed(api, _Node, api.get(f"/api/v1/nodes/{quote(name)}"))
    except Refused as refused:
        if refused.refusal.code == 404:
            return None
        raise failed(refused, api.where, f"cannot read node {name}") from None
    pods = listed(api, _Pod, "/api/v1/pods", fieldSelector=f"spec.nodeName={name}")
    ready = _ready(node.status.conditions)
    return NodeBoot(
        ready=ready is not None and ready.holds,
        boot=node.status.node_info.boot_id or "",
        heartbeat=(ready.last_heartbeat_time if ready else None) or "",
        ready_since=tuple(sorted(line for pod in pods if (line := _line(site, roles, pod)))),
    )


def _nothing(value: object) -> object:
    return {} if value is None else value


def _no_items(value: object) -> object:
    return [] if value is None else value


class _Condition(Condition):
    last_heartbeat_time: str | None = None
    last_transition_time: str | None = None


_Conditions = Annotated[list[_Condition], BeforeValidator(_no_items)]


class _NodeInfo(View):
    boot_id: str | None = Field(default=None, alias="bootID")


class _NodeStatus(View):
    conditions: _Conditions = Field(default_factory=list)
    node_info: Annotated[_NodeInfo, BeforeValidator(_nothing)] = Field(default_factory=_NodeInfo)


class _Node(View):
    status: Annotated[_NodeStatus, BeforeValidator(_nothing)] = Field(default_factory=_NodeStatus)


class _PodStatus(PodStatus):
    conditions: _Conditions = Field(default_factory=list)  # type: ignore[assignment]


class _Pod(PodView):
    status: Annotated[_PodStatus, BeforeValidator(_nothing)] = Field(default_factory=_PodStatus)


def _ready(conditions: list[_Condition]) -> _Condition | None:
    return next((each for each in conditions if each.type == "Ready"), None)


def _line(site: Site, roles: Roles, pod: _Pod) -> str:
    """Empty unless it is a gateway's and shown Ready. A container that starts anew is not, so the time moves on."""
    ready = _ready(pod.status.conditions)
    if ready is None or not ready.holds or ready.last_transition_time is None:
        return ""
    gateways = [state for state in proxy_states(site, roles, (pod,)) if state.gateway]
    name = f"{pod.metadata.namespace}/{pod.metadata.name}"
    return f"{name} Ready since {ready.last_transition_time}" if gateways else ""
