"""The kinds the API serves: group, version, plural and everything discovery tells about them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Resource:
    """One served resource. Objects of all versions of one (group, plural) share storage.

    ``subresources`` are discovery names (``status``, ``scale``, ...); ``status`` in it means that a plain
    update leaves the status alone.
    """

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True
    short: tuple[str, ...] = ()
    subresources: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    singular: str = ""
    columns: tuple[tuple[str, str, str, int], ...] = ()  # custom ones: (name, type, jsonPath, priority)
    schema: Mapping[str, Any] | None = field(default=None, compare=False)  # of a custom resource

    @property
    def key(self) -> Key:
        return (self.group, self.plural)

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def has_status(self) -> bool:
        return "status" in self.subresources

    def __str__(self) -> str:
        return f"{self.plural}.{self.group}" if self.group else self.plural


_STATUS = ("status",)
_SCALED = ("status", "scale")
_ALL = ("all",)

PODS = Resource(
    "", "v1", "pods", "Pod", True, ("po",), ("status", "eviction", "binding", "exec", "log"), _ALL
)
NODES = Resource("", "v1", "nodes", "Node", False, ("no",), _STATUS)
NAMESPACES = Resource("", "v1", "namespaces", "Namespace", False, ("ns",), ("status", "finalize"))
SERVICES = Resource("", "v1", "services", "Service", True, ("svc",), _STATUS, _ALL)
SERVICE_ACCOUNTS = Resource("", "v1", "serviceaccounts", "ServiceAccount", True, ("sa",), ("token",))
SECRETS = Resource("", "v1", "secrets", "Secret")
CONFIG_MAPS = Resource("", "v1", "configmaps", "ConfigMap", True, ("cm",))
ENDPOINTS = Resource("", "v1", "endpoints", "Endpoints", True, ("ep",))
EVENTS = Resource("", "v1", "events", "Event", True, ("ev",))
EVENTS_V1 = Resource("events.k8s.io", "v1", "events", "Event", True, ("ev",))
DEPLOYMENTS = Resource("apps", "v1", "deployments", "Deployment", True, ("deploy",), _SCALED, _ALL)
REPLICA_SETS = Resource("apps", "v1", "replicasets", "ReplicaSet", True, ("rs",), _SCALED, _ALL)
DAEMON_SETS = Resource("apps", "v1", "daemonsets", "DaemonSet", True, ("ds",), _STATUS, _ALL)
STATEFUL_SETS = Resource("apps", "v1", "statefulsets", "StatefulSet", True, ("sts",), _SCALED, _ALL)
CONTROLLER_REVISIONS = Resource("apps", "v1", "controllerrevisions", "ControllerRevision")
JOBS = Resource("batch", "v1", "jobs", "Job", True, (), _STATUS, _ALL)
CRON_JOBS = Resource("batch", "v1", "cronjobs", "CronJob", True, ("cj",), _STATUS, _ALL)
PDBS = Resource("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget", True, ("pdb",), _STATUS)
ENDPOINT_SLICES = Resource("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice")
LEASES = Resource("coordination.k8s.io", "v1", "leases", "Lease")
CRDS = Resource(
    "apiextensions.k8s.io",
    "v1",
    "customresourcedefinitions",
    "CustomResourceDefinition",
    False,
    ("crd", "crds"),
    _STATUS,
    ("api-extensions",),
)

_REG = "admissionregistration.k8s.io"
_RBAC = "rbac.authorization.k8s.io"
ROLES = Resource(_RBAC, "v1", "roles", "Role")
ROLE_BINDINGS = Resource(_RBAC, "v1", "rolebindings", "RoleBinding")
CLUSTER_ROLES = Resource(_RBAC, "v1", "clusterroles", "ClusterRole", False)
CLUSTER_ROLE_BINDINGS = Resource(_RBAC, "v1", "clusterrolebindings", "ClusterRoleBinding", False)
_HPA = ("horizontalpodautoscalers", "HorizontalPodAutoscaler", True, ("hpa",), _STATUS, _ALL)
AUTOSCALERS = Resource("autoscaling", "v2", *_HPA)
BUILTIN: tuple[Resource, ...] = (
    PODS,
    NODES,
    NAMESPACES,
    SERVICES,
    SERVICE_ACCOUNTS,
    SECRETS,
    CONFIG_MAPS,
    ENDPOINTS,
    EVENTS,
    EVENTS_V1,
    Resource("", "v1", "persistentvolumeclaims", "PersistentVolumeClaim", True, ("pvc",), _STATUS),
    Resource("", "v1", "persistentvolumes", "PersistentVolume", False, ("pv",), _STATUS),
    Resource("", "v1", "resourcequotas", "ResourceQuota", True, ("quota",), _STATUS),
    Resource("", "v1", "limitranges", "LimitRange", True, ("limits",)),
    Resource("", "v1", "replicationcontrollers", "ReplicationController", True, ("rc",), _SCALED, _ALL),
    Resource("", "v1", "podtemplates", "PodTemplate"),
    DEPLOYMENTS,
    REPLICA_SETS,
    DAEMON_SETS,
    STATEFUL_SETS,
    CONTROLLER_REVISIONS,
    JOBS,
    CRON_JOBS,
    PDBS,
    ENDPOINT_SLICES,
    LEASES,
    CRDS,
    AUTOSCALERS,
    Resource("autoscaling", "v1", *_HPA),
    Resource("networking.k8s.io", "v1", "networkpolicies", "NetworkPolicy", True, ("netpol",)),
    Resource("networking.k8s.io", "v1", "ingresses", "Ingress", True, ("ing",), _STATUS),
    Resource("networking.k8s.io", "v1", "ingressclasses", "IngressClass", False),
    Resource("storage.k8s.io", "v1", "storageclasses", "StorageClass", False, ("sc",)),
    Resource("scheduling.k8s.io", "v1", "priorityclasses", "PriorityClass", False, ("pc",)),
    ROLES,
    ROLE_BINDINGS,
    CLUSTER_ROLES,
    CLUSTER_ROLE_BINDINGS,
    Resource(_REG, "v1", "validatingwebhookconfigurations", "ValidatingWebhookConfiguration", False),
    Resource(_REG, "v1", "mutatingwebhookconfigurations", "MutatingWebhookConfiguration", False),
    Resource(_REG, "v1", "validatingadmissionpolicies", "ValidatingAdmissionPolicy", False, (), _STATUS),
    Resource(_REG, "v1", "validatingadmissionpolicybindings", "ValidatingAdmissionPolicyBinding", False),
)

_NO_GENERATION = {"Node", "Namespace", "Service", "Lease", "PersistentVolume", "PersistentVolumeClaim"}


def counts_generations(resource: Resource) -> bool:
    """Whether the real API sets ``metadata.generation``: things with a spec that some controller observes."""
    return resource.kind not in _NO_GENERATION
