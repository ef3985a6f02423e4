"""Istio's injection webhook, imitated: gateway pods get their image, pods of enabled namespaces a sidecar.

A sidecar gets what the drill's proxies read of upstream's template: the mounted roots, and ``proxyMetadata`` of the
mesh's defaults and of the pod's own ``proxy.istio.io/config`` as its environment.

The proxy's version is that of the istiod that answers, told by the image tag of its Deployment, unless the
injector's values (ConfigMap istio-sidecar-injector) pin another image. Without a ready istiod such a pod is
refused, as with the webhook's failurePolicy Fail: owners retry.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import yaml

from lab.kube.errors import WebhookFailed
from lab.kube.objects import Obj, annotations_of, labels_of, namespace_of, spec_of, status_of, with_value
from lab.kube.resource import CONFIG_MAPS, DEPLOYMENTS, NAMESPACES
from lab.kube.store import Store

PROXY = "istio-proxy"
_TEMPLATES = "inject.istio.io/templates"
_INJECT = "sidecar.istio.io/inject"
_STATUS = "sidecar.istio.io/status"
_CONFIG = "proxy.istio.io/config"
_ROOTS = {"name": "istiod-ca-cert", "configMap": {"name": "istio-ca-root-cert", "optional": False}}
_ROOTS_AT = [{"name": "istiod-ca-cert", "mountPath": "/var/run/secrets/istio"}]
_PROXY_PORTS = [{"containerPort": 15090, "name": "http-envoy-prom", "protocol": "TCP"}]


class Injector:
    def __init__(self, store: Store) -> None:
        self._store = store

    def admit(self, pod: Obj, old: Obj | None) -> Obj:
        """Raises WebhookFailed when the pod needs a proxy and no istiod is ready."""
        if old is not None or _STATUS in annotations_of(pod):
            return pod
        if not self.wants(pod):
            return pod
        istiod = self._ready_istiod()
        version = _tag(istiod)
        image = self._image(istiod, version)
        containers = list(spec_of(pod).get("containers") or ())
        if any(c["name"] == PROXY for c in containers):
            containers = [_imaged(c, image) if c["name"] == PROXY else c for c in containers]
        else:
            containers.append(self._sidecar(pod, istiod, image))
            volumes = [*(spec_of(pod).get("volumes") or ()), _ROOTS]
            pod = with_value(pod, ("spec", "volumes"), volumes)
        new = with_value(pod, ("spec", "containers"), containers)
        told = json.dumps({"containers": [PROXY], "revision": "default", "version": version})
        new = with_value(new, ("metadata", "annotations", _STATUS), told)
        labelled = {
            "service.istio.io/canonical-name": _canonical(pod),
            **labels_of(new),
            "istio.io/rev": "default",
        }
        return with_value(new, ("metadata", "labels"), labelled)

    @property
    def ready(self) -> bool:
        """Whether an istiod is there to answer."""
        try:
            return bool(self._ready_istiod())
        except WebhookFailed:
            return False

    def wants(self, pod: Obj) -> bool:
        """Whether the pod is one that gets a proxy."""
        own = labels_of(pod).get(_INJECT) or annotations_of(pod).get(_INJECT)
        if own is not None:
            return own == "true"
        if spec_of(pod).get("hostNetwork"):
            return False
        space = self._store.get(NAMESPACES, None, namespace_of(pod) or "default")
        return space is not None and labels_of(space).get("istio-injection") == "enabled"

    def _sidecar(self, pod: Obj, istiod: Obj, image: str) -> Obj:
        revision = labels_of(istiod).get("istio.io/rev", "default")
        name = "istio" + ("" if revision == "default" else f"-{revision}")
        found = self._store.get(CONFIG_MAPS, namespace_of(istiod), name)
        mesh: Obj = (yaml.safe_load(found["data"].get("mesh") or "") if found else None) or {}
        own = yaml.safe_load(annotations_of(pod).get(_CONFIG) or "")
        metadata = {**_metadata(mesh.get("defaultConfig")), **_metadata(own)}
        if mesh.get("trustDomain"):
            metadata = {"TRUST_DOMAIN": str(mesh["trustDomain"]), **metadata}
        return {
            "name": PROXY,
            "image": image,
            "args": ["proxy", "sidecar"],
            "ports": _PROXY_PORTS,
            "env": [{"name": key, "value": value} for key, value in metadata.items()],
            "volumeMounts": _ROOTS_AT,
        }

    def _image(self, istiod: Obj, version: str) -> str:
        """A ``global.proxy.image`` with a slash is a full reference and wins; a bare one is a name at the hub.

        Source: istio 1.30 manifests/charts/istio-control/istio-discovery/files/injection-template.yaml. A real
        istiod sees a changed ConfigMap after a moment; here it is at once.
        """
        revision = labels_of(istiod).get("istio.io/rev", "default")
        name = "istio-sidecar-injector" + ("" if revision == "default" else f"-{revision}")
        found = self._store.get(CONFIG_MAPS, namespace_of(istiod), name)
        values = json.loads(found["data"]["values"])["global"] if found else {}
        image = values.get("proxy", {}).get("image") or "proxyv2"
        return image if "/" in image else f"{values.get('hub', 'docker.io/istio')}/{image}:{version}"

    def _ready_istiod(self) -> Obj:
        for deployment in self._store.list(DEPLOYMENTS, label_selector="app=istiod"):
            if status_of(deployment).get("readyReplicas"):
                return deployment
        raise WebhookFailed(
            'Internal error occurred: failed calling webhook "namespace.sidecar-injector.istio.io": '
            "no endpoints available for service istiod"
        )


def _metadata(config: object) -> dict[str, str]:
    """``proxyMetadata`` of a proxy's configuration."""
    found = config.get("proxyMetadata") if isinstance(config, Mapping) else None
    return {str(key): str(value) for key, value in (found or {}).items()}


def _tag(deployment: Obj) -> str:
    containers: list[Mapping[str, Any]] = spec_of(deployment)["template"]["spec"]["containers"]
    found = next((c for c in containers if c["name"] == "discovery"), containers[0])
    return str(found["image"]).rpartition(":")[2]


def _imaged(container: Mapping[str, Any], image: str) -> Obj:
    return {**container, "image": image} if container.get("image", "auto") == "auto" else dict(container)


def _canonical(pod: Obj) -> str:
    labels = labels_of(pod)
    return labels.get("app.kubernetes.io/name") or labels.get("app") or ""
