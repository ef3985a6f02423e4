"""Upstream's charts on a real API, by the product's adapter with the roles' values; KWOK carries the pods.

Istio's module has no commit of a release for us, only two of its release branches; the numbers below are the
next releases of those branches, and the adapter stamps them, as Istio's own release does.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pyhelm3.command import Command

from lab.control.tools import charts, find
from rollout.adapters.helm import HelmCharts
from rollout.adapters.kube.api import KubeApi, Refused, connect
from rollout.adapters.kube.cluster import KubeCluster
from rollout.cli.world import roles_of
from rollout.engine.ports import ChartRequest
from rollout.model.mesh import ChartSource, ChartSourceKind
from rollout.model.observed import ChartState
from rollout.model.role import ChartStep, SubjectRole
from rollout.model.site import Kubernetes, Site
from tests.real.cluster import RealCluster, real_cluster

PATIENCE = 90.0  # seconds; nothing is asserted about time
ISTIO = ("1.30.4", "1.31.0")
METALLB = ("0.15.3", "0.16.1")

OFTEN = "--horizontal-pod-autoscaler-sync-period=2s"
"""An autoscaler keeps its minimum without any metric, at its next look."""

LINKERD = "RACKROLL_LINKERD_CHARTS"
"""Linkerd's module cannot be had from the module proxy: whoever has its charts (with ``partials``) names the folder."""

_FAMILIES = {
    ("istio", "1.30"): "istio-1.30",
    ("istio", "1.31"): "istio-1.31",
    ("metallb", "0.15"): "metallb-0.15",
    ("metallb", "0.16"): "metallb",
}
_KINDS = {
    "DaemonSet": "/apis/apps/v1/namespaces/{0}/daemonsets/{1}",
    "Deployment": "/apis/apps/v1/namespaces/{0}/deployments/{1}",
    "PodDisruptionBudget": "/apis/policy/v1/namespaces/{0}/poddisruptionbudgets/{1}",
    "HorizontalPodAutoscaler": "/apis/autoscaling/v2/namespaces/{0}/horizontalpodautoscalers/{1}",
    "Service": "/api/v1/namespaces/{0}/services/{1}",
    "Secret": "/api/v1/namespaces/{0}/secrets/{1}",
    "ConfigMap": "/api/v1/namespaces/{0}/configmaps/{1}",
    "CustomResourceDefinition": "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{1}",
}

Object = dict[str, Any]


def helm(major: str = "4") -> Path:
    return find(f"helm-{major}", "helm")


def source(product: str, version: str) -> ChartSource:
    """The folder of upstream's charts that this version is stamped on."""
    if product == "linkerd":
        return ChartSource(ChartSourceKind.PATH, os.environ[LINKERD])
    minor = version.rpartition(".")[0]
    return ChartSource(ChartSourceKind.PATH, str(charts(_FAMILIES[product, minor])))


@dataclass(frozen=True)
class Rig:
    """One cluster and one site on it."""

    site: Site
    cluster: RealCluster
    api: KubeApi
    major: str = "4"

    def role(self, subject: str) -> SubjectRole:
        return roles_of(self.site)[subject]

    @property
    def kube(self) -> KubeCluster:
        return KubeCluster(self.site, roles_of(self.site), self.api)

    @property
    def command(self) -> Command:
        return Command(
            default_timeout="2m", executable=str(helm(self.major)), kubeconfig=self.cluster.kubeconfig
        )

    @property
    def charts(self) -> HelmCharts:
        return HelmCharts(self.site, self.command)

    def request(
        self, subject: str, release: str, version: str, data_plane: str | None = None
    ) -> ChartRequest:
        """As the engine's step asks for it."""
        role = self.role(subject)
        step = role.chart(release)
        return ChartRequest(
            source(subject, version),
            step.release,
            step.namespace,
            step.chart,
            role.chart_version(step, version),
            role.values(step, version, data_plane),
        )

    def install(self, subject: str, release: str, version: str, data_plane: str | None = None) -> ChartState:
        return self.charts.install(self.request(subject, release, version, data_plane))

    def install_all(self, subject: str, version: str) -> None:
        for step in self.steps(subject):
            self.install(subject, step.release, version)

    def steps(self, subject: str) -> tuple[ChartStep, ...]:
        return self.role(subject).charts()

    def helm(self, *words: str) -> str:
        """Helm itself, for what the product never asks."""
        done = subprocess.run(
            [str(helm(self.major)), "--kubeconfig", str(self.cluster.kubeconfig), *words],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def get(self, kind: str, namespace: str, name: str) -> Object:
        return self.api.get(_KINDS[kind].format(namespace, name))

    def there(self, kind: str, namespace: str, name: str) -> bool:
        try:
            self.get(kind, namespace, name)
        except Refused as refused:
            if refused.refusal.code != 404:
                raise
            return False
        return True

    def pods(self, namespace: str, selector: str) -> dict[str, Object]:
        """By UID: a pod that was replaced is another one, whatever it is called."""
        found = self.api.get(f"/api/v1/namespaces/{namespace}/pods", labelSelector=selector)
        return {pod["metadata"]["uid"]: pod for pod in found["items"]}

    def ready_pods(self, namespace: str, selector: str, count: int) -> frozenset[str]:
        def all_ready() -> bool:
            found = self.pods(namespace, selector)
            return len(found) == count and all(map(_ready, found.values()))

        until(all_ready, f"{count} ready pods of {selector} in {namespace}")
        return frozenset(self.pods(namespace, selector))


def until(true: Callable[[], bool], what: str, every: float = 0.1) -> None:
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline, f"never came: {what}"
        time.sleep(every)


@contextmanager
def rig(folder: Path, site: Site, *, webhooks: bool = False, major: str = "4") -> Iterator[Rig]:
    """A cluster with the site's nodes. What the charts' webhooks name never answers there; ``major`` is Helm's."""
    with real_cluster(folder, webhooks=webhooks, kube_controller_manager=[OFTEN]) as cluster:
        here = replace(site, kubernetes=Kubernetes(cluster.kubeconfig, None, "1.35"))
        api = connect(here.kubernetes)
        cluster.add_nodes(api, {node.name: {} for node in here.nodes})
        made = Rig(here, cluster, api, major)
        made.kube.apply(made.role("metallb").objects("node-labels"))
        yield made


def image(workload: Object, container: str) -> str:
    spec = workload["spec"]["template"]["spec"]
    both = (*spec["containers"], *spec.get("initContainers", ()))
    return str(next(item["image"] for item in both if item["name"] == container))


def environment(workload: Object, container: str) -> dict[str, str]:
    found = workload["spec"]["template"]["spec"]["containers"]
    named = next(item for item in found if item["name"] == container)
    return {item["name"]: item.get("value", "") for item in named.get("env", ())}


def data(config: Object, key: str) -> Any:
    return json.loads(config["data"][key])


def _ready(pod: Object) -> bool:
    conditions = pod.get("status", {}).get("conditions", ())
    return any((item["type"], item["status"]) == ("Ready", "True") for item in conditions)
