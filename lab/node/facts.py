"""The few Kubernetes facts a node acts on, read out of API JSON once, so decisions never touch raw objects."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One pod behind a Service. ``serving`` stays true while a terminating pod still passes its readiness."""

    address: str
    node: str
    pod: str
    ready: bool
    serving: bool
    terminating: bool
    ports: tuple[tuple[str, int], ...]

    def port(self, name: str) -> int | None:
        return dict(self.ports).get(name)


@dataclass(frozen=True, slots=True)
class Port:
    name: str
    number: int


@dataclass(frozen=True, slots=True)
class Service:
    """A Service with its endpoints. ``vips`` are what the load balancer assigned, empty until it did."""

    namespace: str
    name: str
    labels: tuple[tuple[str, str], ...]
    vips: tuple[str, ...]
    ports: tuple[Port, ...]
    local: bool
    endpoints: tuple[Endpoint, ...]


@dataclass(frozen=True, slots=True)
class NodeFacts:
    name: str
    labels: tuple[tuple[str, str], ...]
    cordoned: bool = False
    network_unavailable: bool = False


def node_facts(node: Json) -> NodeFacts:
    conditions = node.get("status", {}).get("conditions") or ()
    unavailable = any(c["type"] == "NetworkUnavailable" and c["status"] == "True" for c in conditions)
    return NodeFacts(
        name=node["metadata"]["name"],
        labels=pairs(node["metadata"].get("labels")),
        cordoned=bool(node.get("spec", {}).get("unschedulable")),
        network_unavailable=unavailable,
    )


def services(objects: Iterable[Json], slices: Sequence[Json]) -> tuple[Service, ...]:
    """Join Services with their EndpointSlices; ``slices`` may be every slice of the cluster."""
    by_service: dict[tuple[str, str], list[Json]] = {}
    for item in slices:
        owner = (item["metadata"].get("labels") or {}).get("kubernetes.io/service-name", "")
        by_service.setdefault((item["metadata"]["namespace"], owner), []).append(item)
    return tuple(_service(o, by_service.get(_key(o), ())) for o in objects)


def _key(item: Json) -> tuple[str, str]:
    return item["metadata"]["namespace"], item["metadata"]["name"]


def _service(item: Json, slices: Sequence[Json]) -> Service:
    spec = item.get("spec", {})
    ingress = item.get("status", {}).get("loadBalancer", {}).get("ingress") or ()
    return Service(
        namespace=item["metadata"]["namespace"],
        name=item["metadata"]["name"],
        labels=pairs(item["metadata"].get("labels")),
        vips=tuple(entry["ip"] for entry in ingress if "ip" in entry),
        ports=tuple(Port(p.get("name", ""), p["port"]) for p in spec.get("ports") or ()),
        local=spec.get("externalTrafficPolicy") == "Local",
        endpoints=tuple(e for s in slices for e in endpoints(s)),
    )


def endpoints(item: Json) -> tuple[Endpoint, ...]:
    """The endpoints of one EndpointSlice, one per address. A missing condition means true, as the API says."""
    ports = tuple((p.get("name") or "", p["port"]) for p in item.get("ports") or () if p.get("port"))
    found = []
    for entry in item.get("endpoints") or ():
        state = entry.get("conditions") or {}
        ready = state.get("ready") is not False
        for address in entry.get("addresses") or ():
            found.append(
                Endpoint(
                    address=address,
                    node=entry.get("nodeName", ""),
                    pod=(entry.get("targetRef") or {}).get("name", ""),
                    ready=ready,
                    serving=bool(state.get("serving", ready)),
                    terminating=bool(state.get("terminating")),
                    ports=ports,
                )
            )
    return tuple(sorted(found, key=lambda e: (e.address, e.pod)))


def pairs(mapping: Mapping[str, str] | None) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((mapping or {}).items()))


def selects(selector: Json, labels: Iterable[tuple[str, str]]) -> bool:
    """A LabelSelector: every matchLabels entry and every matchExpressions entry must hold."""
    have = dict(labels)
    exact = selector.get("matchLabels") or {}
    if any(have.get(key) != value for key, value in exact.items()):
        return False
    return all(_expression_holds(e, have) for e in selector.get("matchExpressions") or ())


def _expression_holds(expression: Json, have: Mapping[str, str]) -> bool:
    value = have.get(expression["key"])
    match expression["operator"]:
        case "In":
            return value in (expression.get("values") or ())
        case "NotIn":
            return value not in (expression.get("values") or ())
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
        case other:
            raise ValueError(
                f"label selector operator {other!r} is not one of In, NotIn, Exists, DoesNotExist"
            )


def seconds(duration: str) -> float:
    """A Go duration such as ``5s``, ``1m30s`` or ``500ms``, in seconds."""
    units = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
    return sum(float(n) * units[u] for n, u in re.findall(r"(\d+(?:\.\d+)?)(ms|h|m|s)", duration))
