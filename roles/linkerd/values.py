"""Linkerd's chart values: upstream's high-availability values, the pin for injected proxies, keys kept outside.

Source: linkerd2 charts/linkerd-control-plane/values-ha.yaml, restated.
"""

from __future__ import annotations

from typing import Any

from rollout.model.mesh import Mesh
from rollout.model.role import Json

REPLICAS = 3


def crds_values() -> Json:
    """Gateway API CRDs belong to the cluster, not to one mesh: Helm would remove them with this chart."""
    return {"installGatewayAPI": False}


def control_plane_values(mesh: Mesh, version: str, data_plane: str | None = None) -> Json:
    """Trust anchor and issuer are read from the cluster (``linkerd-identity-trust-roots`` and ``-issuer``).

    They are never values: values end up in Helm's history. ``Fail`` keeps a pod from starting outside the mesh.
    """
    proxy: dict[str, Any] = {}
    if data_plane is not None and data_plane != version:
        proxy = {"proxy": {"image": {"version": data_plane}}}
    return {
        "linkerdVersion": version,
        "controllerReplicas": REPLICAS,
        "enablePodAntiAffinity": True,
        "enablePodDisruptionBudget": True,
        "deploymentStrategy": {"rollingUpdate": {"maxUnavailable": 1, "maxSurge": "25%"}},
        "webhookFailurePolicy": "Fail",
        "identityTrustDomain": mesh.trust_domain,
        "identity": {"externalCA": True, "issuer": {"scheme": "kubernetes.io/tls"}},
        **proxy,
    }
