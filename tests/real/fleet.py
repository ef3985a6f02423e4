"""A fleet on a real control plane: racks of KWOK nodes, gateways, a mesh whose injector the API server plays.

Istio's injector is a MutatingAdmissionPolicy here: it writes the proxy's image into each new pod, at the version
that one ConfigMap holds. So a restarted proxy gets what the control plane hands out, as it does with istiod.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.fleet import Shape, site_text
from roles.istio.values import IMAGE_HUB, gateway_values
from rollout.adapters.kube.api import MERGE, KubeApi, Refused, connect
from rollout.model.mesh import Gateway
from rollout.model.role import Json
from rollout.model.site import Site
from rollout.site.load import load_site
from tests.real.cluster import RealCluster
from tests.real.workloads import budget, daemons, deployment, service

Object = dict[str, Any]

ADMISSION = [
    "--feature-gates=MutatingAdmissionPolicy=true",
    "--runtime-config=admissionregistration.k8s.io/v1beta1=true",
]
"""What kube-apiserver 1.35 must be told before it knows a MutatingAdmissionPolicy."""

INJECTED = {"sidecar.istio.io/inject": "true"}
TENANT = "tenant"
"""A namespace that no mesh claims: nothing in it may ever be touched by a mesh's upgrade."""

_PLURALS = {
    "Namespace": "/api/v1/namespaces",
    "ConfigMap": "/api/v1/namespaces/{}/configmaps",
    "Service": "/api/v1/namespaces/{}/services",
    "Deployment": "/apis/apps/v1/namespaces/{}/deployments",
    "DaemonSet": "/apis/apps/v1/namespaces/{}/daemonsets",
    "PodDisruptionBudget": "/apis/policy/v1/namespaces/{}/poddisruptionbudgets",
    "MutatingAdmissionPolicy": "/apis/admissionregistration.k8s.io/v1beta1/mutatingadmissionpolicies",
    "MutatingAdmissionPolicyBinding": (
        "/apis/admissionregistration.k8s.io/v1beta1/mutatingadmissionpolicybindings"
    ),
}
_WITHIN = 600.0  # seconds for a fleet to be Ready; other work may have the machine meanwhile


@dataclass(frozen=True, slots=True)
class Sized:
    """How large, and how the site waits: ``pacing`` and ``policy`` are lines of its site file.

    Every second rack has a second gateway node.
    """

    racks: int
    nodes_per_rack: int
    pacing: str = "{drainWait: 0s, fabricSettle: 0s, soak: 0s, soakSamples: 1, stepTimeout: 60s}"
    policy: str = "{waves: {maxShare: 0.34, workersAtOnce: 20}}"


def real_site(folder: Path, sized: Sized, kubeconfig: Path) -> Site:
    """The benchmark's site file for this many racks, on this cluster."""
    folder.mkdir(parents=True, exist_ok=True)
    text = site_text(Shape(sized.racks, sized.nodes_per_rack))
    text = text.replace("kubeconfig: ~/.kube/bench", f"kubeconfig: {kubeconfig}")
    for rack in range(2, sized.racks + 1, 2):
        text = _gateway_too(text, f"r{rack}n2")
    own = f"\npacing: {sized.pacing}\n\npolicy: {sized.policy}\n\nracks:"
    (folder / "site.yaml").write_text(text.replace("\nracks:", own, 1), encoding="utf-8")
    return load_site(folder)


def _gateway_too(text: str, node: str) -> str:
    """The line of this node, made a gateway's."""
    start = text.index(f"{{name: {node}, ")
    end = text.index("}\n", start)
    return f"{text[:end]}, gateway: true{text[end:]}"


@dataclass(frozen=True, slots=True)
class Fleet:
    """The site and an administrator's connection, for the tests' own doings; the engine has a user of its own."""

    site: Site
    cluster: RealCluster
    api: KubeApi

    @property
    def gateway(self) -> Gateway:
        return self.site.gateways[0]

    def inject(self, version: str) -> None:
        """From when it returns, every new pod of the mesh gets a proxy of this version."""
        path = "/api/v1/namespaces/istio-system/configmaps/injector"
        self.api.request("PATCH", path, body={"data": {"version": version}}, content_type=MERGE)
        eventually(lambda: _image_of_a_new_pod(self.api) == f"{IMAGE_HUB}/proxyv2:{version}", "injection")

    def items(self, path: str, **query: str) -> list[Object]:
        found: list[Object] = self.api.get(path, **query).get("items") or []
        return found


def eventually(look: Callable[[], object], what: str, within: float = _WITHIN) -> None:
    """Time is never asserted; what does not come at all must end somewhere."""
    until = time.monotonic() + within
    while not look():
        if time.monotonic() > until:
            raise AssertionError(f"{what}: not within {within:.0f} s")
        time.sleep(0.1)


def populate(fleet: Fleet, version: str, workers: int, tenants: int) -> None:
    """Nodes, then what runs on them: gateways, ``workers`` pods with a sidecar, ``tenants`` pods without one."""
    site = fleet.site
    create(fleet.api, [*_spaces(site), *injector(version)])
    eventually(lambda: _image_of_a_new_pod(fleet.api) == f"{IMAGE_HUB}/proxyv2:{version}", "injection")
    _nodes(fleet)
    create(fleet.api, [*_control_plane(site, version), *gateway_objects(site, fleet.gateway)])
    create(fleet.api, _apps(site, workers))
    create(fleet.api, [deployment(TENANT, "stateless", tenants, {"main": "example/app:1"})])
    settled(fleet)


def settled(fleet: Fleet) -> None:
    """Every controller has done what it was asked to, and every pod is Ready."""
    eventually(lambda: all(map(_ready, fleet.items("/apis/apps/v1/deployments"))), "deployments")
    eventually(lambda: all(map(_ready, fleet.items("/apis/apps/v1/daemonsets"))), "daemon sets")
    eventually(lambda: all(map(_counted, fleet.items("/apis/policy/v1/poddisruptionbudgets"))), "budgets")


def _ready(workload: Object) -> bool:
    status, spec = workload.get("status", {}), workload["spec"]
    if status.get("observedGeneration", 0) < workload["metadata"]["generation"]:
        return False
    if "desiredNumberScheduled" in status:
        wanted, there = status.get("desiredNumberScheduled", 0), status.get("numberReady", 0)
    else:
        wanted, there = spec["replicas"], status.get("readyReplicas", 0)
    return bool(there == wanted)


def _counted(found: Object) -> bool:
    status = found.get("status", {})
    return bool(status.get("observedGeneration") == found["metadata"]["generation"])


def _nodes(fleet: Fleet) -> None:
    site = fleet.site
    labels = {
        node.name: {site.rack_label: node.rack, **({site.gateway_label: "true"} if node.gateway else {})}
        for node in site.nodes
    }
    with ThreadPoolExecutor(8) as pool:
        parts = [{name: own} for name, own in labels.items()]
        list(pool.map(lambda part: fleet.cluster.add_nodes(fleet.api, part), parts))

    def all_ready() -> bool:
        found = fleet.items("/api/v1/nodes")
        return len(found) == len(labels) and all(
            any(
                c["type"] == "Ready" and c["status"] == "True"
                for c in n.get("status", {}).get("conditions", ())
            )
            and not n["spec"].get("taints")
            for n in found
        )

    eventually(all_ready, f"{len(labels)} nodes")


def create(api: KubeApi, objects: Iterable[Json]) -> None:
    """What is there already stays as it is."""
    for item in objects:
        path = _PLURALS[item["kind"]].format(item["metadata"].get("namespace"))
        try:
            api.request("POST", path, body=item)
        except Refused as refused:
            if refused.refusal.code != 409:
                raise


def _spaces(site: Site) -> Iterator[Object]:
    mesh = site.meshes[0]
    gateways = {gateway.namespace for gateway in mesh.gateways}
    for name in sorted({mesh.namespace, site.metallb.namespace, TENANT, *gateways, *mesh.namespaces}):
        yield {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def injector(version: str) -> tuple[Object, ...]:
    """The proxy is the first container of every pod that asks for one."""
    api_version = "admissionregistration.k8s.io/v1beta1"
    image = f"'{IMAGE_HUB}/proxyv2:' + params.data.version"
    patch = f"[JSONPatch{{op: 'replace', path: '/spec/containers/0/image', value: {image}}}]"
    pods = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}
    spec = {
        "paramKind": {"apiVersion": "v1", "kind": "ConfigMap"},
        "matchConstraints": {
            "resourceRules": [pods],
            "objectSelector": {"matchLabels": INJECTED},
        },
        "failurePolicy": "Fail",
        "reinvocationPolicy": "Never",
        "mutations": [{"patchType": "JSONPatch", "jsonPatch": {"expression": patch}}],
    }
    named = {"name": "injector", "namespace": "istio-system", "parameterNotFoundAction": "Deny"}
    return (
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "injector", "namespace": "istio-system"},
            "data": {"version": version},
        },
        {
            "apiVersion": api_version,
            "kind": "MutatingAdmissionPolicy",
            "metadata": {"name": "injector"},
            "spec": spec,
        },
        {
            "apiVersion": api_version,
            "kind": "MutatingAdmissionPolicyBinding",
            "metadata": {"name": "injector"},
            "spec": {"policyName": "injector", "paramRef": named},
        },
    )


def _image_of_a_new_pod(api: KubeApi) -> str:
    """Asked of the API server by a dry run: admission sees a change of its parameters a moment later."""
    containers = [{"name": "istio-proxy", "image": "auto"}]
    body = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "dry-run", "namespace": "default", "labels": INJECTED},
        "spec": {"containers": containers},
    }
    try:
        made = api.request("POST", "/api/v1/namespaces/default/pods", query={"dryRun": "All"}, body=body)
    except Refused as refused:
        return str(refused)
    return str(made["spec"]["containers"][0]["image"])


def _control_plane(site: Site, version: str) -> Iterator[Object]:
    mesh, metallb = site.meshes[0], site.metallb
    istiod = {"discovery": f"{IMAGE_HUB}/pilot:{version}"}
    yield deployment(mesh.namespace, "istiod", 2, istiod)
    speaker = {"speaker": f"quay.io/metallb/speaker:v{metallb.version}"}
    labels = {"app.kubernetes.io/name": "metallb", "app.kubernetes.io/component": "speaker"}
    yield daemons(metallb.namespace, "metallb-speaker", {site.gateway_label: "true"}, speaker, labels)


def gateway_objects(site: Site, gateway: Gateway) -> Sequence[Object]:
    """As the gateway chart renders our role's values: OnDelete, one pod on each gateway node, N-1 held by a budget."""
    values = gateway_values(site, gateway)
    app = {"app": gateway.name}
    proxy = {"istio-proxy": "auto"}
    pods = daemons(gateway.namespace, gateway.name, values["nodeSelector"], proxy, {**app, **INJECTED})
    pods["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] = values[
        "terminationGracePeriodSeconds"
    ]
    return (
        service(gateway.namespace, gateway.name, app, values["service"]["ports"]),
        budget(gateway.namespace, gateway.name, app, values["podDisruptionBudget"]),
        pods,
    )


def _apps(site: Site, workers: int) -> Iterator[Object]:
    """One app in each of the mesh's namespaces, a pod on every worker node before it gets its next."""
    spaces = site.meshes[0].namespaces
    for number, namespace in enumerate(spaces):
        replicas = workers // len(spaces) + (number < workers % len(spaces))
        containers = {"istio-proxy": "auto", "main": "example/app:1"}
        yield deployment(namespace, "app", replicas, containers, INJECTED)
        yield budget(namespace, "app", {"app": "app"}, {"maxUnavailable": max(replicas // 10, 1)})


def fleet_of(cluster: RealCluster, site: Site) -> Fleet:
    """``site`` must name an administrator's kubeconfig."""
    return Fleet(site, cluster, connect(site.kubernetes))
