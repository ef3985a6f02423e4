"""Hand-made objects for the node agents' test: gateways, backends, MetalLB's resources. No Helm, no DaemonSets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rollout.model.site import Site

Json = dict[str, Any]
VIP = "203.0.113.1"
GATEWAYS = "istio-ingress"
SPEAKERS = "metallb-system"
QUICK_PROBE = {
    "httpGet": {"path": "/healthz/ready", "port": 15021},
    "periodSeconds": 1,
    "failureThreshold": 1,
}


def meta(kind: str, name: str, namespace: str | None = None, api: str = "v1", **labels: str) -> Json:
    metadata: Json = {"name": name, "labels": labels}
    if namespace is not None:
        metadata["namespace"] = namespace
    return {"apiVersion": api, "kind": kind, "metadata": metadata}


def pod(name: str, namespace: str, node: str, containers: list[Json], **labels: str) -> Json:
    return {**meta("Pod", name, namespace, **labels), "spec": {"nodeName": node, "containers": containers}}


def proxy(istio: str) -> Json:
    return {"name": "istio-proxy", "image": f"docker.io/istio/proxyv2:{istio}", "readinessProbe": QUICK_PROBE}


def gateway(name: str, node: str, istio: str = "1.30.3") -> Json:
    return pod(name, GATEWAYS, node, [proxy(istio)], app="gateway")


def echo(number: int, node: str) -> Json:
    app = {"name": "echo", "image": "echo:1", "ports": [{"name": "http", "containerPort": 8080}]}
    return pod(f"echo-{number}", "shop", node, [app, proxy("1.30.3")], app="echo", version="v1")


def speaker(node: str) -> Json:
    container = {"name": "speaker", "image": "quay.io/metallb/speaker:v0.16.1"}
    found = pod(f"speaker-{node}", SPEAKERS, node, [container], app="speaker")
    return {**found, "spec": {**found["spec"], "hostNetwork": True, "terminationGracePeriodSeconds": 0}}


def controller() -> Json:
    """MetalLB's controller, which gives Services their addresses."""
    labels = {"app.kubernetes.io/component": "controller", "app.kubernetes.io/name": "metallb"}
    container = {"name": "controller", "image": "quay.io/metallb/controller:v0.16.1"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    found = meta("Deployment", "metallb-controller", SPEAKERS, "apps/v1", **labels)
    return {**found, "spec": {"replicas": 1, "selector": {"matchLabels": labels}, "template": template}}


def service(name: str, namespace: str, app: str, target: int, **spec: Any) -> Json:
    ports = [{"name": "http", "port": 80, "targetPort": target}]
    return {**meta("Service", name, namespace), "spec": {"selector": {"app": app}, "ports": ports, **spec}}


def definitions() -> Iterator[Json]:
    """The custom resources the speaker reads and writes."""
    kinds = {
        "IPAddressPool": ("ipaddresspools", "v1beta1"),
        "BGPPeer": ("bgppeers", "v1beta2"),
        "BGPAdvertisement": ("bgpadvertisements", "v1beta1"),
        "BFDProfile": ("bfdprofiles", "v1beta1"),
        "ServiceBGPStatus": ("servicebgpstatuses", "v1beta1"),
    }
    for kind, (plural, version) in kinds.items():
        schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
        served = {"name": version, "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
        name = f"{plural}.metallb.io"
        found = meta("CustomResourceDefinition", name, api="apiextensions.k8s.io/v1")
        names = {"kind": kind, "listKind": f"{kind}List", "plural": plural, "singular": kind.lower()}
        versions = [{**served, "subresources": {"status": {}}}]
        yield {
            **found,
            "spec": {"group": "metallb.io", "scope": "Namespaced", "names": names, "versions": versions},
        }


def metallb(site: Site) -> Iterator[Json]:
    pool = meta("IPAddressPool", "gateways", SPEAKERS, "metallb.io/v1beta1")
    yield {**pool, "spec": {"addresses": ["203.0.113.0/28"]}}
    profile = meta("BFDProfile", "fast", SPEAKERS, "metallb.io/v1beta1")
    yield {**profile, "spec": {"receiveInterval": 150, "transmitInterval": 150, "detectMultiplier": 3}}
    for rack in site.racks:
        spec = {
            "myASN": site.bgp.node_asn,
            "peerASN": rack.switch.asn,
            "peerAddress": str(rack.switch.fabric_address),
            "holdTime": "9s",
            "bfdProfile": "fast",
            "nodeSelectors": [{"matchLabels": {site.rack_label: rack.name}}],
        }
        yield {**meta("BGPPeer", rack.switch.name, SPEAKERS, "metallb.io/v1beta2"), "spec": spec}
    advertisement = meta("BGPAdvertisement", "gateways", SPEAKERS, "metallb.io/v1beta1")
    yield {**advertisement, "spec": {"ipAddressPools": ["gateways"]}}
