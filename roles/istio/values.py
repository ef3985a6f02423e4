"""Chart values that keep N-1 gateways. Pure; the reasons stand beside each value.

Upstream's defaults are unsafe for a rack-by-rack rollout: one gateway replica, no PodDisruptionBudget,
cluster-wide traffic policy, DaemonSets that roll the whole fleet, and (for the 1.30 charts) an image hub that
is being retired.
"""

from __future__ import annotations

import json
import math
from datetime import timedelta
from typing import Any

from roles.charted import own_values
from rollout.model.mesh import Gateway, Mesh
from rollout.model.role import Json
from rollout.model.site import Pacing, Site

IMAGE_HUB = "docker.io/istio"
"""gcr.io/istio-release and registry.istio.io stop serving in December 2026, which would break a rollback.
Source: istio.io blog/2026/retirement-of-gcp."""

KUBELET_SLACK = timedelta(seconds=30)
ZTUNNEL_MARGIN = timedelta(seconds=5)
"""ztunnel drains for its grace period less five seconds (istio/ztunnel src/config.rs; the chart's comment says one)."""

MULTIROOT = "ISTIO_MULTIROOT_MESH"
"""istiod's: without it a bundle of two roots is refused with a warning (istio security/pkg/pki/ca)."""

PUSHED = "PROXY_CONFIG_XDS_AGENT"
"""A proxy's: istiod pushes a changed bundle to it, and it renews its leaf at once."""

AMBIENT_VARIANT = "distroless"
"""What upstream's ambient profile sets as ``global.variant``, of every image."""

ON_DELETE: Json = {"type": "OnDelete"}


def base_values(mesh: Mesh) -> Json:
    return {"global": {"istioNamespace": mesh.namespace}}


def revisioned_base_values(mesh: Mesh) -> Json:
    """Without a default revision the chart renders no validator of its own; the role applies one that can move."""
    return {**base_values(mesh), "defaultRevision": ""}


def istiod_values(
    mesh: Mesh, version: str, data_plane: str | None = None, revision: str = "", variant: str = ""
) -> Json:
    """Two replicas at least: upstream's chart renders no PodDisruptionBudget for one.

    ``data_plane`` holds injected proxies at another version than istiod's own: an image that contains a slash is
    taken as it is by the injection templates, without hub and tag. ``variant`` is the chart's own, which a site's
    values come before.
    """
    images: dict[str, Any] = {"hub": IMAGE_HUB, "istioNamespace": mesh.namespace, "tag": version}
    if data_plane is not None and data_plane != version:
        suffix = _image_suffix(own_values(mesh, "istiod"), variant)
        image = {"image": f"{IMAGE_HUB}/proxyv2:{data_plane}{suffix}"}
        images |= {"proxy": image, "proxy_init": image}
    config: dict[str, Any] = {"trustDomain": mesh.trust_domain}
    values: dict[str, Any] = {"autoscaleMin": 2, "global": images, "meshConfig": config}
    if mesh.pki is not None:
        config["defaultConfig"] = {"proxyMetadata": {PUSHED: "true"}}
        values["env"] = {MULTIROOT: "true"}
    return {**values, "revision": revision} if revision else values


def pushes_trust(mesh: Mesh) -> bool:
    """Whether istiod pushes a changed bundle to its proxies: our values say so where the CA is ours."""
    config = (own_values(mesh, "istiod").get("meshConfig") or {}).get("defaultConfig") or {}
    own = (config.get("proxyMetadata") or {}).get(PUSHED)
    return mesh.pki is not None if own is None else str(own).lower() == "true"


def _image_suffix(own: Json, variant: str) -> str:
    """In the order in which istiod looks. A pin that named another build of the proxy would roll every waypoint."""
    shared = own.get("global") or {}
    image = ((own.get("meshConfig") or {}).get("defaultConfig") or {}).get("image") or {}
    proxy = shared.get("proxy") or {}
    found = image.get("imageType") or proxy.get("variant") or shared.get("variant") or variant
    return f"-{found}" if found and found != "default" else ""


def ambient_istiod_values(mesh: Mesh, version: str, data_plane: str | None = None) -> Json:
    return {"profile": "ambient", **istiod_values(mesh, version, data_plane, variant=AMBIENT_VARIANT)}


def cni_values(version: str) -> Json:
    """``OnDelete``: the default rolls every node, and no pod starts on a node while its agent is away."""
    return {"profile": "ambient", "global": _images(version), "updateStrategy": ON_DELETE}


def ztunnel_values(pacing: Pacing, version: str) -> Json:
    """Connections that outlive the drain are cut, so it lasts as long as the node transaction's own waits."""
    grace = max(drain_duration(pacing) + ZTUNNEL_MARGIN, KUBELET_SLACK)
    return {
        "global": _images(version),
        "updateStrategy": ON_DELETE,
        "terminationGracePeriodSeconds": _seconds(grace),
    }


def _images(version: str) -> Json:
    return {"hub": IMAGE_HUB, "tag": version}


def gateway_values(site: Site, gateway: Gateway, revision: str = "") -> Json:
    """One gateway pod on every gateway node, evictable one at a time.

    ``autoscaling`` scales nothing: upstream's chart renders its autoscaler for a Deployment only. But since 1.28 it
    renders no PodDisruptionBudget unless autoscaling starts above one replica (or ``replicaCount`` is above one,
    which would give the DaemonSet a field that it does not have).
    ``minAvailable`` is an integer because ``maxUnavailable`` needs a scale subresource, which DaemonSets
    lack. ``strategy`` is not set: a DaemonSet has no such field (the role sets ``updateStrategy`` itself).
    ``revision`` may be a tag: the pods carry it as their label, and the tag's webhook injects them.
    """
    drain = drain_duration(site.pacing)
    values: Json = {
        "kind": "DaemonSet",
        "autoscaling": {"enabled": True, "minReplicas": 2},
        "nodeSelector": {site.gateway_label: "true"},
        "podDisruptionBudget": {"minAvailable": max(len(site.gateway_nodes) - 1, 0)},
        "terminationGracePeriodSeconds": _seconds(drain + KUBELET_SLACK),
        "podAnnotations": {
            "proxy.istio.io/config": json.dumps({"terminationDrainDuration": f"{_seconds(drain)}s"})
        },
        "service": _service(gateway),
    }
    return {**values, "revision": revision} if revision else values


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
