"""Consul's chart values. Keys: consul-k8s charts/consul/values.yaml."""

from __future__ import annotations

from rollout.model.mesh import Gateway, Mesh
from rollout.model.policy import ReleasePin
from rollout.model.role import Json
from rollout.model.site import Site

NAME = "consul"
"""``global.name``: every object is called ``consul-...`` whatever the release is called."""

CLASS = "consul"
POOL = "metallb.io/address-pool"
ADDRESS = "metallb.io/loadBalancerIPs"


def api_gateway(gateway: Gateway) -> Json:
    """Consul makes the Deployment and the Service from it; the annotations are copied to the Service."""
    listener = {
        "name": "http",
        "protocol": "HTTP",
        "port": gateway.port,
        "allowedRoutes": {"namespaces": {"from": "All"}},
    }
    annotations = {POOL: gateway.pool, ADDRESS: str(gateway.vip)}
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "Gateway",
        "metadata": {"name": gateway.name, "namespace": gateway.namespace, "annotations": annotations},
        "spec": {"gatewayClassName": CLASS, "listeners": [listener]},
    }


def consul_values(site: Site, mesh: Mesh, release: ReleasePin, data_plane: str) -> Json:
    """``updatePartition`` equals the replicas for good: a chart upgrade never restarts a server by itself.

    Every image is named: unset, the chart's own defaults decide, and they move with the chart.
    """
    return {
        "global": {
            "name": NAME,
            "image": f"hashicorp/consul:{release.version}",
            "imageK8S": f"hashicorp/consul-k8s-control-plane:{release.chart}",
            "imageConsulDataplane": f"hashicorp/consul-dataplane:{data_plane}",
        },
        "server": {
            "replicas": mesh.servers,
            "updatePartition": mesh.servers,
            "disruptionBudget": {"enabled": True, "maxUnavailable": 1},
        },
        "connectInject": {
            "enabled": True,
            "replicas": 2,
            "k8sAllowNamespaces": list(mesh.namespaces) or ["*"],
            "disruptionBudget": {"enabled": True, "minAvailable": 1},
            "apiGateway": {"managedGatewayClass": _gateway_class(site)},
        },
    }


def _gateway_class(site: Site) -> Json:
    """As many API gateways as there are gateway nodes, and only there. The chart wants mappings and lists as text."""
    count = len(site.gateway_nodes)
    return {
        "serviceType": "LoadBalancer",
        "nodeSelector": f'{site.gateway_label}: "true"\n',
        "copyAnnotations": {"service": {"annotations": "".join(f"- {key}\n" for key in (POOL, ADDRESS))}},
        "deployment": {"defaultInstances": count, "minInstances": count, "maxInstances": count},
    }
