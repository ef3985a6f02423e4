"""What moves between revisions without belonging to either: the tag's injector, and who validates configuration.

A revision tag is a webhook: it sends the pods of namespaces that name the tag to one revision's injector.

Upstream renders it from the istiod chart and applies it by hand, because two releases cannot own one object and the tag
must never be away in between: a pod that starts without its webhook starts without a sidecar.
"""

from __future__ import annotations

from typing import Any

from rollout.model.mesh import Mesh
from rollout.model.role import Json

ROOT_NAMESPACE = "istio-system"
_INJECTED: Json = {"key": "sidecar.istio.io/inject", "operator": "NotIn", "values": ["false"]}


def tag_webhook(mesh: Mesh, revision: str) -> Json:
    """Applied server-side, so the CA bundle that istiod fills in stays as it is while the tag moves."""
    suffix = "" if mesh.namespace == ROOT_NAMESPACE else f"-{mesh.namespace}"
    labels = {"app": "sidecar-injector", "istio.io/rev": revision, "istio.io/tag": mesh.tag}
    named: Json = {"key": "istio.io/rev", "operator": "In", "values": [mesh.tag]}
    unlabelled = [_absent("istio-injection")]
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": f"istio-revision-tag-{mesh.tag}{suffix}", "labels": labels},
        "webhooks": [
            _webhook(mesh, revision, "rev.namespace", [named, *unlabelled], [_INJECTED]),
            _webhook(
                mesh, revision, "rev.object", [_absent("istio.io/rev"), *unlabelled], [_INJECTED, named]
            ),
        ],
    }


def _absent(key: str) -> Json:
    return {"key": key, "operator": "DoesNotExist"}


def _webhook(
    mesh: Mesh, revision: str, prefix: str, namespaces: list[Json], pods: list[Json]
) -> dict[str, Any]:
    """``Fail``: a pod waits for its injector rather than start outside the mesh."""
    service = {"name": f"istiod-{revision}", "namespace": mesh.namespace, "path": "/inject", "port": 443}
    created = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}
    return {
        "name": f"{prefix}.sidecar-injector.istio.io",
        "admissionReviewVersions": ["v1"],
        "clientConfig": {"service": service},
        "failurePolicy": "Fail",
        "namespaceSelector": {"matchExpressions": namespaces},
        "objectSelector": {"matchExpressions": pods},
        "reinvocationPolicy": "Never",
        "rules": [created],
        "sideEffects": "None",
    }


def default_validator(mesh: Mesh, revision: str) -> Json:
    """Configuration that names no revision is checked by this one's istiod (its own objects are checked anyway).

    Upstream's base chart renders it from ``defaultRevision``; applied here, it can move without the CRDs.
    ``failurePolicy`` and the CA bundle are istiod's to fill in.
    """
    groups = [f"{name}.istio.io" for name in ("security", "networking", "telemetry", "extensions")]
    service = {"name": f"istiod-{revision}", "namespace": mesh.namespace, "path": "/validate"}
    checked = {
        "apiGroups": groups,
        "apiVersions": ["*"],
        "operations": ["CREATE", "UPDATE"],
        "resources": ["*"],
    }
    webhook = {
        "name": "validation.istio.io",
        "admissionReviewVersions": ["v1"],
        "clientConfig": {"service": service},
        "objectSelector": {"matchExpressions": [_absent("istio.io/rev")]},
        "rules": [checked],
        "sideEffects": "None",
    }
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {
            "name": f"rackroll-validator-{mesh.name}",
            "labels": {"app": "istiod", "istio": "istiod", "istio.io/rev": revision},
        },
        "webhooks": [webhook],
    }
