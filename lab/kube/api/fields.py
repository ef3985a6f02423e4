"""Which fields each kind lets itself be selected by; any other is refused, as the real API does."""

from __future__ import annotations

from collections.abc import Mapping

from lab.kube.errors import BadRequest
from lab.kube.resource import (
    EVENTS,
    EVENTS_V1,
    JOBS,
    NAMESPACES,
    NODES,
    PODS,
    SECRETS,
    SERVICES,
    Key,
    Resource,
)
from lab.kube.selectors import FieldSelector

_ALWAYS = frozenset({"metadata.name", "metadata.namespace"})
_INVOLVED = ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath")
_EVENT = frozenset({f"involvedObject.{name}" for name in _INVOLVED}) | {
    "reason",
    "reportingComponent",
    "source",
    "type",
}
_MORE: Mapping[Key, frozenset[str]] = {
    PODS.key: frozenset(
        {
            "spec.nodeName",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "spec.hostNetwork",
            "status.phase",
            "status.podIP",
            "status.podIPs",
            "status.nominatedNodeName",
        }
    ),
    NODES.key: frozenset({"spec.unschedulable"}),
    NAMESPACES.key: frozenset({"status.phase"}),
    SECRETS.key: frozenset({"type"}),
    SERVICES.key: frozenset({"spec.clusterIP", "spec.type"}),
    JOBS.key: frozenset({"status.successful"}),
    EVENTS.key: _EVENT,
    EVENTS_V1.key: _EVENT,
}


def check_fields(resource: Resource, selector: FieldSelector) -> None:
    """Raises BadRequest for a field that this kind is not selected by."""
    known = _ALWAYS | _MORE.get(resource.key, frozenset())
    for path, _, _ in selector.terms:
        if (field := ".".join(path)) not in known:
            raise BadRequest(f"field label not supported: {field}")
