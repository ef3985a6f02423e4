"""Envoy's configuration for a gateway or a sidecar pod, as plain JSON values.

Shaped like what Istio would program (retry policy, drain strategy, status port 15021), and no more: one
route to one Service. Listeners bind the pod's own address, so several Envoys share a node's network namespace.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lab.node.facts import Endpoint

Config = dict[str, Any]

STATUS_PORT = 15021
# Istio's default for routes without their own policy; it is what hides a backend that leaves mid-connect.
RETRY_POLICY: Mapping[str, Any] = {
    "retry_on": "connect-failure,refused-stream,unavailable,cancelled,reset-before-request",
    "num_retries": 2,
    "host_selection_retry_max_attempts": "5",
    "retry_host_predicate": [
        {
            "name": "envoy.retry_host_predicates.previous_hosts",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate"
            },
        }
    ],
}
_EXTENSIONS = "type.googleapis.com/envoy.extensions.filters"
_UNLIMITED = 4294967295


@dataclass(frozen=True, slots=True)
class Place:
    """Where one Envoy lives: paths are as seen inside the node."""

    pod: str
    node: str
    address: str
    folder: str

    @property
    def admin_socket(self) -> str:
        return f"{self.folder}/admin.sock"

    @property
    def endpoints_file(self) -> str:
        return f"{self.folder}/eds/echo.json"


def gateway(place: Place, ports: Sequence[int], backend: str) -> Config:
    """Everything that arrives goes to ``backend``'s ready endpoints, which Envoy follows from a file."""
    headers = [_header("x-rackroll-gateway", place.pod), _header("x-rackroll-node", place.node)]
    route = {
        "match": {"prefix": "/"},
        "route": {"cluster": backend, "timeout": "0s", "retry_policy": RETRY_POLICY},
    }
    listeners = [_http(f"http-{port}", place.address, port, route, headers) for port in ports]
    return _bootstrap(place, [*listeners, _status(place.address)], [_followed(place, backend)])


def sidecar(place: Place, ports: Sequence[int], answer: Mapping[str, str]) -> Config:
    """The sidecar answers for its application, which is simulated; the body says so."""
    body = {"app": "simulated", "pod": place.pod, "node": place.node, **answer}
    route = {
        "match": {"prefix": "/"},
        "direct_response": {
            "status": 200,
            "body": {"inline_string": json.dumps(body, sort_keys=True) + "\n"},
        },
    }
    headers = [_header("content-type", "application/json")]
    listeners = [_http(f"inbound-{port}", place.address, port, route, headers) for port in ports]
    return _bootstrap(place, [*listeners, _status(place.address)], [])


def endpoints(backend: str, found: Iterable[Endpoint]) -> Config:
    """The EDS document for the endpoints that are ready now; an empty one makes the gateway answer 503."""
    hosts = [
        {"endpoint": {"address": _address(e.address, number)}}
        for e in found
        if e.ready
        for _, number in e.ports[:1]
    ]
    assignment = {
        "@type": "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
        "cluster_name": backend,
        "endpoints": [{"lb_endpoints": hosts}],
    }
    return {"resources": [assignment]}


def _bootstrap(place: Place, listeners: list[Config], clusters: list[Config]) -> Config:
    return {
        "node": {"id": f"{place.pod}.{place.node}", "cluster": "rackroll-lab"},
        "admin": {"address": {"pipe": {"path": place.admin_socket, "mode": 0o600}}},
        "static_resources": {"listeners": listeners, "clusters": clusters},
    }


def _followed(place: Place, name: str) -> Config:
    source = {
        "path_config_source": {
            "path": place.endpoints_file,
            "watched_directory": {"path": place.endpoints_file.rpartition("/")[0]},
        }
    }
    limits = dict.fromkeys(
        ("max_connections", "max_pending_requests", "max_requests", "max_retries"), _UNLIMITED
    )
    return {
        "name": name,
        "type": "EDS",
        "connect_timeout": "1s",
        "eds_cluster_config": {"eds_config": source},
        "lb_policy": "LEAST_REQUEST",
        "circuit_breakers": {"thresholds": [limits]},
    }


def _http(name: str, address: str, port: int, route: Config, headers: list[Config]) -> Config:
    routes = {
        "name": name,
        "response_headers_to_add": headers,
        "virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}],
    }
    return _listener(name, address, port, routes, [_router()])


def _status(address: str) -> Config:
    """Istio's status port: 200 while healthy, 503 once ``/healthcheck/fail`` was asked for."""
    health = {
        "name": "envoy.filters.http.health_check",
        "typed_config": {
            "@type": f"{_EXTENSIONS}.http.health_check.v3.HealthCheck",
            "pass_through_mode": False,
            "headers": [{"name": ":path", "string_match": {"exact": "/healthz/ready"}}],
        },
    }
    routes = {"name": "status", "virtual_hosts": []}
    return _listener("status", address, STATUS_PORT, routes, [health, _router()])


def _listener(name: str, address: str, port: int, routes: Config, filters: list[Config]) -> Config:
    connections = {
        "name": "envoy.filters.network.http_connection_manager",
        "typed_config": {
            "@type": f"{_EXTENSIONS}.network.http_connection_manager.v3.HttpConnectionManager",
            "stat_prefix": name,
            "route_config": routes,
            "http_filters": filters,
        },
    }
    return {"name": name, "address": _address(address, port), "filter_chains": [{"filters": [connections]}]}


def _router() -> Config:
    return {
        "name": "envoy.filters.http.router",
        "typed_config": {"@type": f"{_EXTENSIONS}.http.router.v3.Router"},
    }


def _header(key: str, value: str) -> Config:
    return {"header": {"key": key, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}


def _address(address: str, port: int) -> Config:
    return {"socket_address": {"address": address, "port_value": port}}
