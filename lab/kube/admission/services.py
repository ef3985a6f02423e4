"""Service defaults and allocation: cluster IPs, node ports, the health check port."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Network
from typing import Any

from lab.kube.errors import invalid
from lab.kube.objects import Obj, name_of, spec_of
from lab.kube.resource import SERVICES
from lab.kube.store import Store

CLUSTER_NETWORK = IPv4Network("10.96.0.0/16")
NODE_PORTS = range(30000, 32768)
_DEFAULTS = {"internalTrafficPolicy": "Cluster", "ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack"}
_OUTSIDE = ("NodePort", "LoadBalancer")


class ServiceAllocator:
    """Takes the first free address or port; what is taken is read from the stored services each time."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def admit(self, service: Obj, old: Obj | None) -> Obj:
        """Raises Invalid for a port or address that another service has."""
        spec: Obj = {"type": "ClusterIP", "sessionAffinity": "None", **spec_of(service)}
        if spec["type"] == "ExternalName":
            return {**service, "spec": spec}
        before = spec_of(old) if old else {}
        others = [s for s in self._store.list(SERVICES) if s["metadata"].get("uid") != _uid(old)]
        self._address(service, spec, before, others)
        spec = {**_DEFAULTS, **spec}
        spec["ports"] = [_port(port) for port in spec.get("ports") or ()]
        if spec["type"] in _OUTSIDE:
            self._outside(service, spec, before, others)
        else:
            spec["ports"] = [{k: v for k, v in port.items() if k != "nodePort"} for port in spec["ports"]]
            for field in ("externalTrafficPolicy", "healthCheckNodePort", "allocateLoadBalancerNodePorts"):
                spec.pop(field, None)
        return {**service, "spec": spec, "status": service.get("status") or {"loadBalancer": {}}}

    def _address(self, service: Obj, spec: Obj, before: Any, others: list[Obj]) -> None:
        if spec.get("clusterIP") == "None":
            spec["clusterIPs"] = ["None"]
            return
        taken = {spec_of(other).get("clusterIP") for other in others}
        asked = spec.get("clusterIP") or before.get("clusterIP")
        if before.get("clusterIP") not in (None, asked, "None"):
            raise invalid("Service", name_of(service), [("spec.clusterIPs[0]", "may not change once set")])
        if asked in taken:
            message = f"failed to allocate IP {asked}: provided IP is already allocated"
            raise invalid("Service", name_of(service), [("spec.clusterIPs", message)])
        free = (str(address) for address in CLUSTER_NETWORK.hosts() if str(address) not in taken)
        spec["clusterIP"] = asked or next(free)
        spec["clusterIPs"] = [spec["clusterIP"]]

    def _outside(self, service: Obj, spec: Obj, before: Any, others: list[Obj]) -> None:
        taken = {port for other in others for port in _node_ports(spec_of(other))}
        spec.setdefault("externalTrafficPolicy", "Cluster")
        balanced = spec["type"] == "LoadBalancer"
        if balanced:
            spec.setdefault("allocateLoadBalancerNodePorts", True)
        if not balanced or spec["allocateLoadBalancerNodePorts"]:
            spec["ports"] = [self._node_port(service, port, before, taken) for port in spec["ports"]]
        if balanced and spec["externalTrafficPolicy"] == "Local":
            kept = spec.get("healthCheckNodePort") or before.get("healthCheckNodePort")
            spec["healthCheckNodePort"] = kept or _first(taken)
        else:
            spec.pop("healthCheckNodePort", None)

    def _node_port(self, service: Obj, port: Obj, before: Any, taken: set[int]) -> Obj:
        asked = port.get("nodePort") or _kept(port, before)
        if asked in taken:
            message = f"Invalid value: {asked}: provided port is already allocated"
            raise invalid("Service", name_of(service), [("spec.ports[0].nodePort", message)])
        chosen = asked or _first(taken)
        taken.add(chosen)
        return {**port, "nodePort": chosen}


def _kept(port: Obj, before: Any) -> int | None:
    """The node port that this port of the service had."""
    for old in before.get("ports") or ():
        if (old["port"], old["protocol"]) == (port["port"], port["protocol"]):
            found: int | None = old.get("nodePort")
            return found
    return None


def _port(port: Obj) -> Obj:
    return {"protocol": "TCP", "targetPort": port["port"], **port}


def _node_ports(spec: Any) -> Iterable[int]:
    for port in spec.get("ports") or ():
        if port.get("nodePort"):
            yield port["nodePort"]
    if spec.get("healthCheckNodePort"):
        yield spec["healthCheckNodePort"]


def _first(taken: set[int]) -> int:
    free = next(port for port in NODE_PORTS if port not in taken)
    taken.add(free)
    return free


def _uid(obj: Obj | None) -> str:
    return str(obj["metadata"]["uid"]) if obj else ""
