"""Chart values that keep N-1 gateways. Pure; the reasons stand beside each value.

Upstream's defaults are unsafe for a rack-by-rack rollout: one gateway replica, no PodDisruptionBudget,
cluster-wide traffic policy, and (for the 1.30 charts) an image hub that is being retired.
"""

from __future__ import annotations

import json
import math
from datetime import timedelta

from rollout.model.role import Json
from rollout.model.site import Gateway, Mesh, Pacing, Site

IMAGE_HUB = "docker.io/istio"
"""gcr.io/istio-release and registry.istio.io stop serving in December 2026, which would break a rollback."""

KUBELET_SLACK = timedelta(seconds=30)


def base_values(mesh: Mesh) -> Json:
    return {"global": {"istioNamespace": mesh.namespace}}


def istiod_values(mesh: Mesh, version: str) -> Json:
    """Two replicas at least: upstream's chart renders no PodDisruptionBudget for one."""
    return {
        "autoscaleMin": 2,
        "global": {"hub": IMAGE_HUB, "istioNamespace": mesh.namespace, "tag": version},
        "meshConfig": {"trustDomain": mesh.trust_domain},
    }


def gateway_values(site: Site, gateway: Gateway) -> Json:
    """One gateway pod on every gateway node, evictable one at a time.

    ``minAvailable`` is an integer because ``maxUnavailable`` needs a scale subresource, which DaemonSets
    lack. ``strategy`` is not set: a DaemonSet has no such field (the role sets ``updateStrategy`` itself).
    """
    drain = drain_duration(site.pacing)
    return {
        "kind": "DaemonSet",
        "autoscaling": {"enabled": False},
        "nodeSelector": {site.gateway_label: "true"},
        "podDisruptionBudget": {"minAvailable": max(len(site.gateway_nodes) - 1, 0)},
        "terminationGracePeriodSeconds": _seconds(drain + KUBELET_SLACK),
        "podAnnotations": {
            "proxy.istio.io/config": json.dumps({"terminationDrainDuration": f"{_seconds(drain)}s"})
        },
        "service": _service(gateway),
    }


def drain_duration(pacing: Pacing) -> timedelta:
    """How long Envoy keeps draining after SIGTERM: as long as the node transaction gives it before.

    The transaction has drained the gateway already; this is for evictions that are not ours.
    """
    return pacing.drain_wait + pacing.fabric_settle


def _service(gateway: Gateway) -> Json:
    """``Local``: only nodes with a gateway pod announce the VIP, and clients' addresses survive.

    The default status port is left out: MetalLB asks Kubernetes, not the gateway, and it would be public.
    """
    port = {"name": "http2", "port": gateway.port, "protocol": "TCP", "targetPort": gateway.port}
    return {
        "type": "LoadBalancer",
        "externalTrafficPolicy": "Local",
        "annotations": {
            "metallb.io/address-pool": gateway.pool,
            "metallb.io/loadBalancerIPs": str(gateway.vip),
        },
        "ipFamilyPolicy": "SingleStack",
        "ipFamilies": [f"IPv{gateway.vip.version}"],
        "ports": [port],
    }


def _seconds(duration: timedelta) -> int:
    """Kubernetes counts whole seconds; rounding down would cut a drain short."""
    return max(math.ceil(duration.total_seconds()), 1)
