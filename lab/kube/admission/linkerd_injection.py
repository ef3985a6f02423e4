"""Linkerd's proxy injector, imitated: pods of annotated namespaces get a proxy, with the anchors in its environment.

The anchors are what the injector's own pod has mounted, and that lags behind the ConfigMap: a pod that is restarted too
early after a change of bundle gets the old anchors for its whole life. Where pods have no files the ConfigMap is read.
"""

from __future__ import annotations

import hashlib
import random

from lab.kube.errors import WebhookFailed
from lab.kube.objects import Obj, annotations_of, namespace_of, spec_of, uid_of, with_value
from lab.kube.pods import is_ready
from lab.kube.resource import CONFIG_MAPS, NAMESPACES, PODS
from lab.kube.store import Store

PROXY = "linkerd-proxy"
ANCHORS = "LINKERD2_PROXY_IDENTITY_TRUST_ANCHORS"
_INJECT = "linkerd.io/inject"
_VERSION = "config.linkerd.io/proxy-version"
_COMPONENT = "linkerd.io/control-plane-component=proxy-injector"
_CONFIG, _KEY, _VOLUME = "linkerd-identity-trust-roots", "ca-bundle.crt", "trust-roots"
_PORTS = [{"containerPort": 4143, "name": "linkerd-proxy"}, {"containerPort": 4191, "name": "linkerd-admin"}]


class LinkerdInjector:
    def __init__(self, store: Store) -> None:
        self._store = store

    def admit(self, pod: Obj, old: Obj | None) -> Obj:
        """Raises WebhookFailed when the pod needs a proxy and no injector is ready (webhookFailurePolicy Fail)."""
        if old is not None or not self._wants(pod):
            return pod
        containers = list(spec_of(pod).get("containers") or ())
        if any(c["name"] == PROXY for c in containers):
            return pod
        injector = self._ready_injector()
        anchors, version = self._anchors(injector), self._version(pod, injector)
        environment = [
            {"name": "_l5d_trustdomain", "value": _trust_domain(injector)},
            {"name": ANCHORS, "value": anchors},
        ]
        proxy = {
            "name": PROXY,
            "image": f"linkerd/proxy:{version}",
            "ports": _PORTS,
            "env": environment,
        }
        new = with_value(pod, ("spec", "containers"), [*containers, proxy])
        digest = hashlib.sha256(anchors.encode()).hexdigest()
        for key, value in (("linkerd.io/proxy-version", version), ("linkerd.io/trust-root-sha256", digest)):
            new = with_value(new, ("metadata", "annotations", key), value)
        return with_value(
            new, ("metadata", "labels", "linkerd.io/control-plane-ns"), namespace_of(injector) or ""
        )

    def _wants(self, pod: Obj) -> bool:
        own = annotations_of(pod).get(_INJECT)
        if own is not None:
            return own == "enabled"
        return self._space(pod).get(_INJECT) == "enabled" and not spec_of(pod).get("hostNetwork")

    def _space(self, pod: Obj) -> dict[str, str]:
        found = self._store.get(NAMESPACES, None, namespace_of(pod) or "default")
        return dict(annotations_of(found)) if found else {}

    def _version(self, pod: Obj, injector: Obj) -> str:
        """The annotation of pod or namespace, else the injector's own."""
        told = annotations_of(pod).get(_VERSION) or self._space(pod).get(_VERSION)
        return told or str(_container(injector)["image"]).rpartition(":")[2]

    def _ready_injector(self) -> Obj:
        ready = [pod for pod in self._store.list(PODS, label_selector=_COMPONENT) if is_ready(pod)]
        if not ready:
            raise WebhookFailed(
                'Internal error occurred: failed calling webhook "linkerd-proxy-injector.linkerd.io": '
                "no endpoints available for service linkerd-proxy-injector"
            )
        return random.choice(ready)  # noqa: S311

    def _anchors(self, injector: Obj) -> str:
        mounted = self._store.runtimes.mounts.get(uid_of(injector))
        if mounted is not None:
            return (mounted(_VOLUME, _KEY) or b"").decode()
        found = self._store.get(CONFIG_MAPS, namespace_of(injector), _CONFIG)
        return str(found["data"].get(_KEY, "")) if found else ""


def _container(injector: Obj) -> Obj:
    found: list[Obj] = spec_of(injector)["containers"]
    return next((c for c in found if c["name"] == "proxy-injector"), found[0])


def _trust_domain(injector: Obj) -> str:
    told = {entry["name"]: entry.get("value") for entry in _container(injector).get("env") or ()}
    return str(told.get("_l5d_trustdomain") or "cluster.local")
