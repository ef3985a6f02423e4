"""Pods as a drain meets them, and the budgets that guard them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PodState:
    """``evictable``: a drain would evict it (no DaemonSet pod, no mirror pod, not finished).

    ``proxy`` is the (mesh, version) of its proxy, if it carries one; ``asked`` is what the pod itself says about
    injection (None: nothing). ``images`` are its containers' as written in its spec.
    """

    namespace: str
    name: str
    node: str | None
    labels: Mapping[str, str]
    images: tuple[str, ...] = ()
    ready: bool = True
    evictable: bool = True
    terminating: bool = False
    proxy: tuple[str, str] | None = None
    asked: bool | None = None
    pending: bool = False

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class Requirement:
    """One of a selector's ``matchExpressions``: operator is In, NotIn, Exists or DoesNotExist."""

    key: str
    operator: str
    values: tuple[str, ...] = ()

    def holds(self, labels: Mapping[str, str]) -> bool:
        match self.operator:
            case "In":
                return labels.get(self.key) in self.values
            case "NotIn":
                return labels.get(self.key) not in self.values
            case "Exists":
                return self.key in labels
            case "DoesNotExist":
                return self.key not in labels
        return False


@dataclass(frozen=True, slots=True)
class Selector:
    """Kubernetes' label selector; one without requirements matches every pod of its namespace (policy/v1)."""

    requirements: tuple[Requirement, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        return all(requirement.holds(labels) for requirement in self.requirements)


@dataclass(frozen=True, slots=True)
class Budget:
    """A PodDisruptionBudget with the counts of its status.

    ``selector`` None matches nothing. ``seen``: the controller has counted the newest change; until then the API
    refuses every eviction. ``spare_unready``: pods that are not Ready may always go (unhealthyPodEvictionPolicy).
    """

    namespace: str
    name: str
    selector: Selector | None
    allowed: int
    healthy: int
    desired: int
    expected: int
    seen: bool = True
    spare_unready: bool = False

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"

    @property
    def never(self) -> bool:
        """It asks for as many healthy pods as there are: no eviction can ever be granted."""
        return self.expected > 0 and self.desired >= self.expected

    def covers(self, pod: PodState) -> bool:
        return (
            self.selector is not None
            and pod.namespace == self.namespace
            and self.selector.matches(pod.labels)
        )


@dataclass(frozen=True, slots=True)
class NodeImages:
    """What a node says it has pulled. ``complete`` is False where the kubelet cut its list (50 by default)."""

    names: frozenset[str]
    complete: bool = True


@dataclass(frozen=True, slots=True)
class Conntrack:
    """The kernel's connection table: entries in use, and how many fit."""

    count: int
    maximum: int
