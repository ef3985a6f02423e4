"""Consul's Connect CA API, reached through the node that runs a server: pods' addresses are known there everywhere."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from rollout.adapters.kube.api import KubeApi
from rollout.adapters.kube.reading import listed
from rollout.adapters.kube.view import PodView, condition
from rollout.adapters.trust import consul_script
from rollout.adapters.trust.vantage import Vantage
from rollout.errors import StepFailed, Unreachable

TOKEN = "CONSUL_HTTP_TOKEN"  # noqa: S105 - the variable's name, as Consul's own tools read it
PORT = 8500
TIMEOUT = 10.0
SERVERS = "app=consul,component=server"


class ConnectCa(Protocol):
    def configuration(self) -> dict[str, Any]: ...
    def configure(self, configuration: dict[str, Any]) -> None: ...
    def roots(self) -> dict[str, Any]: ...


@dataclass(frozen=True, slots=True)
class ServerCa:
    """Implements :class:`ConnectCa`. An ACL token comes from CONSUL_HTTP_TOKEN, never from the site file."""

    namespace: str
    api: Callable[[], KubeApi]
    vantage: Vantage

    def configuration(self) -> dict[str, Any]:
        return self._asked("GET", "/v1/connect/ca/configuration")

    def configure(self, configuration: dict[str, Any]) -> None:
        self._asked("PUT", "/v1/connect/ca/configuration", configuration)

    def roots(self) -> dict[str, Any]:
        return self._asked("GET", "/v1/connect/ca/roots")

    def _asked(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Raises Unreachable where no server answers, StepFailed with Consul's words where one refuses."""
        pod = self._server()
        where = f"Consul at {self.namespace}/{pod.metadata.name}"
        asked = {
            "host": pod.status.pod_ip,
            "port": PORT,
            "method": method,
            "path": path,
            "body": body,
            "token": os.environ.get(TOKEN, ""),
            "timeout": TIMEOUT,
        }
        said = self.vantage.run(pod.spec.node_name or "", consul_script, asked, TIMEOUT + 10)
        if said["status"] == 0:
            raise Unreachable(said["body"], where=where, hint="is the server's HTTP API on port 8500?")
        if said["status"] != 200:
            hint = f"does {TOKEN} name a token with operator:write?" if said["status"] == 403 else ""
            raise StepFailed(f"HTTP {said['status']}: {said['body'][:300]}", where=where, hint=hint)
        found = json.loads(said["body"]) if said["body"].strip() else {}
        return found if isinstance(found, dict) else {}

    def _server(self) -> PodView:
        path = f"/api/v1/namespaces/{self.namespace}/pods"
        pods = listed(self.api(), PodView, path, labelSelector=SERVERS)
        ready = [pod for pod in pods if condition(pod.status.conditions, "Ready") and pod.status.pod_ip]
        if not ready:
            hint = f"kubectl -n {self.namespace} get pods -l {SERVERS}"
            raise Unreachable("no Consul server is Ready", where=f"namespace {self.namespace}", hint=hint)
        return min(ready, key=lambda pod: pod.metadata.name)
