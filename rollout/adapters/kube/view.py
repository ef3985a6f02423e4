"""The few fields that are read of each Kubernetes object: pydantic at the edge, everything else ignored."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel


def _none_is_empty(value: Any) -> Any:
    return {} if value is None else value


def _none_is_no_items(value: Any) -> Any:
    return [] if value is None else value


Texts = Annotated[dict[str, str], BeforeValidator(_none_is_empty)]


class View(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="ignore", frozen=True)


class Owner(View):
    kind: str
    controller: bool = False


class Meta(View):
    name: str
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    deletion_timestamp: str | None = None
    labels: Texts = Field(default_factory=dict)
    annotations: Texts = Field(default_factory=dict)
    owner_references: Annotated[list[Owner], BeforeValidator(_none_is_no_items)] = Field(default_factory=list)


class Condition(View):
    type: str
    status: str
    reason: str = ""

    @property
    def holds(self) -> bool:
        return self.status == "True"


Conditions = Annotated[list[Condition], BeforeValidator(_none_is_no_items)]


def condition(conditions: list[Condition], kind: str) -> bool:
    """Unknown is not true: a kubelet that stopped reporting is not ready."""
    return any(item.type == kind and item.holds for item in conditions)


class NodeSpec(View):
    unschedulable: bool = False


class StatusView(View):
    conditions: Conditions = Field(default_factory=list)


class NodeInfo(View):
    kubelet_version: str = ""


class NodeStatus(StatusView):
    node_info: Annotated[NodeInfo, BeforeValidator(_none_is_empty)] = Field(default_factory=NodeInfo)


class NodeView(View):
    metadata: Meta
    spec: Annotated[NodeSpec, BeforeValidator(_none_is_empty)] = Field(default_factory=NodeSpec)
    status: Annotated[NodeStatus, BeforeValidator(_none_is_empty)] = Field(default_factory=NodeStatus)


class Port(View):
    container_port: int


class Container(View):
    name: str
    image: str = ""
    ports: Annotated[list[Port], BeforeValidator(_none_is_no_items)] = Field(default_factory=list)


Containers = Annotated[list[Container], BeforeValidator(_none_is_no_items)]


class PodSpec(View):
    node_name: str | None = None
    service_account_name: str = "default"
    containers: Containers = Field(default_factory=list)
    init_containers: Containers = Field(default_factory=list)


class PodStatus(StatusView):
    phase: str = ""
    pod_ip: str = Field(default="", alias="podIP")


class PodView(View):
    metadata: Meta
    spec: PodSpec
    status: Annotated[PodStatus, BeforeValidator(_none_is_empty)] = Field(default_factory=PodStatus)


class EndpointConditions(View):
    ready: bool | None = None
    terminating: bool | None = None


class Endpoint(View):
    node_name: str | None = None
    conditions: Annotated[EndpointConditions, BeforeValidator(_none_is_empty)] = Field(
        default_factory=EndpointConditions
    )


class SliceView(View):
    endpoints: Annotated[list[Endpoint], BeforeValidator(_none_is_no_items)] = Field(default_factory=list)


class DeploymentSpec(View):
    replicas: int = 1


class DeploymentStatus(View):
    observed_generation: int = 0
    replicas: int = 0
    updated_replicas: int = 0
    ready_replicas: int = 0
    available_replicas: int = 0


class DeploymentView(View):
    metadata: Meta
    spec: DeploymentSpec
    status: Annotated[DeploymentStatus, BeforeValidator(_none_is_empty)] = Field(
        default_factory=DeploymentStatus
    )


class Resource(View):
    """One entry of an API group's discovery document."""

    name: str
    kind: str
    namespaced: bool
