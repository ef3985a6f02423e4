"""Consul's connect injector, imitated: pods that ask for it get a dataplane of the version that the injector names."""

from __future__ import annotations

import re

from lab.kube.errors import WebhookFailed
from lab.kube.objects import Obj, annotations_of, labels_of, spec_of, status_of, with_value
from lab.kube.resource import DEPLOYMENTS
from lab.kube.store import Store

PROXY = "consul-dataplane"
_INJECT = "consul.hashicorp.com/connect-inject"
_STATUS = "consul.hashicorp.com/connect-inject-status"
_IMAGE = re.compile(r"-consul-dataplane-image=\"?([^\s\"]+)")
_PORTS = [{"containerPort": 20000, "name": "proxy-public"}]


class ConsulInjector:
    """Only pods with the annotation: ``connectInject.default`` is false, as in upstream's chart."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def admit(self, pod: Obj, old: Obj | None) -> Obj:
        """Raises WebhookFailed when the pod asks for a dataplane and no injector is ready."""
        if old is not None or annotations_of(pod).get(_INJECT) != "true" or _STATUS in annotations_of(pod):
            return pod
        injector = self._ready_injector()
        dataplane = {"name": PROXY, "image": _image(injector), "ports": _PORTS}
        containers = [*(spec_of(pod).get("containers") or ()), dataplane]
        new = with_value(pod, ("spec", "containers"), containers)
        return with_value(new, ("metadata", "annotations", _STATUS), "injected")

    def _ready_injector(self) -> Obj:
        for deployment in self._store.list(DEPLOYMENTS, label_selector="component=connect-injector"):
            if labels_of(deployment).get("app") == "consul" and status_of(deployment).get("readyReplicas"):
                return deployment
        raise WebhookFailed(
            'Internal error occurred: failed calling webhook "consul-connect-injector.consul.hashicorp.com": '
            "no endpoints available for service consul-connect-injector"
        )


def _image(injector: Obj) -> str:
    """What the injector's command names; it moves with the chart, not with the servers."""
    for container in spec_of(injector)["template"]["spec"]["containers"]:
        words = " ".join((*(container.get("command") or ()), *(container.get("args") or ())))
        found = _IMAGE.search(words)
        if found:
            return found[1]
    raise WebhookFailed("the connect injector names no -consul-dataplane-image")
