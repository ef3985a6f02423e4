"""The shipped ClusterRole is enough, and every verb in it is needed: without it something fails and names it."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest

from roles.istio.tag import default_validator, tag_webhook
from roles.kubernetes.rights import runner_rights
from rollout.adapters.kube.api import KubeApi, connect
from rollout.adapters.kube.cluster import KubeCluster
from rollout.adapters.kube.execute import Container, run_in_container
from rollout.adapters.kube.resources import Resources
from rollout.adapters.kube.rights import KubeRights
from rollout.adapters.kube.workloads import KubeWorkloads
from rollout.cli.world import roles_of
from rollout.errors import RackrollError, StepFailed
from rollout.model.rights import Right
from rollout.model.site import Kubernetes
from tests.e2e.scale.rights import grant
from tests.e2e.scale.stage import Stage
from tests.real.fleet import create, eventually
from tests.real.workloads import daemons, deployment

SPACE = "rights"
RUN = "rights-run"
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
KINDS = {
    "metallb.io": ("BFDProfile", "BGPAdvertisement", "BGPPeer", "IPAddressPool"),
    "gateway.networking.k8s.io": ("Gateway",),
}
ALL = runner_rights()


@dataclass(frozen=True, slots=True)
class User:
    """One user with its own certificate; every call is the product's own."""

    api: KubeApi
    cluster: KubeCluster
    workloads: KubeWorkloads


def user(stage: Stage, name: str, rights: tuple[Right, ...]) -> User:
    """A user with exactly these rights, from when the API server's authorizer has seen them."""
    kubeconfig = stage.fleet.cluster.plane.user(name)
    rules = [{"apiGroups": [r.group], "resources": [r.resource], "verbs": [r.verb]} for r in rights]
    grant(stage.fleet.api, name, rules)
    site = replace(stage.fleet.site, kubernetes=Kubernetes(kubeconfig, None, "1.35"))
    api, roles = connect(site.kubernetes), roles_of(site)
    eventually(lambda: KubeRights(site, rights, api).missing() == (), f"the rights of {name}")
    return User(api, KubeCluster(site, roles, api), KubeWorkloads(site, roles, api))


@pytest.fixture(scope="module", autouse=True)
def things(stage: Stage) -> None:
    """Whatever the calls below need: a namespace, kinds of MetalLB's and the Gateway API's, pods to be taken."""
    api = stage.fleet.api
    create(api, [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SPACE}}])
    for group, kinds in KINDS.items():
        for kind in kinds:
            api.request("POST", CRDS, body=_crd(group, kind))
    images = {"main": "example/app:1"}
    create(api, [deployment(SPACE, "app", 2, images), daemons(SPACE, "agents", {"no": "node"}, images, {})])
    stateful = daemons(SPACE, "servers", {"no": "node"}, images, {})
    del stateful["spec"]["updateStrategy"]
    stateful |= {"kind": "StatefulSet", "spec": {**stateful["spec"], "serviceName": "servers"}}
    api.request("POST", f"/apis/apps/v1/namespaces/{SPACE}/statefulsets", body=stateful)
    path = f"/apis/apps/v1/namespaces/{SPACE}/deployments/app"
    eventually(lambda: api.get(path).get("status", {}).get("readyReplicas") == 2, "the pods")


def _crd(group: str, kind: str) -> dict[str, Any]:
    plural = kind.lower() + "s"
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": f"{plural}.{group}",
            "annotations": {"api-approved.kubernetes.io": "unapproved, a test's own"},
        },
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"plural": plural, "singular": kind.lower(), "kind": kind},
            "versions": [version],
        },
    }


def pod_of(stage: Stage) -> str:
    found = stage.fleet.items(f"/api/v1/namespaces/{SPACE}/pods")
    running = [
        p for p in found if p["status"].get("phase") == "Running" and "deletionTimestamp" not in p["metadata"]
    ]
    return str(running[0]["metadata"]["name"])


def calls(stage: Stage, me: User, fresh: str) -> dict[str, Any]:
    """Each call that the engine makes of its ports, by name. ``fresh`` makes names that are not there yet."""
    site, mesh = stage.fleet.site, stage.fleet.site.meshes[0]
    node = site.rack("r40").nodes[-1].name
    cluster = me.cluster
    custom = [(group, kind) for group, kinds in KINDS.items() for kind in kinds]
    tag = replace(mesh, tag=f"t{fresh}", name=f"t{fresh}")
    hooks = [tag_webhook(tag, "one"), default_validator(tag, "one")]
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": f"space-{fresh}"}}
    strategy = {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": "agents", "namespace": SPACE},
        "spec": {"updateStrategy": {"type": "OnDelete"}},
    }
    unknown = {"apiVersion": "nowhere.example/v1", "kind": "Nothing", "metadata": {"name": "x"}}
    return {
        "nodes": cluster.nodes,
        "node": lambda: cluster.nodes(node),
        "boot": lambda: cluster.boot(node),
        "cordon": lambda: cluster.cordon(node, RUN),
        "uncordon": lambda: cluster.uncordon(node, RUN),
        "proxies": lambda: cluster.proxies(node),
        "pods": lambda: me.workloads.pods(node),
        "budgets": me.workloads.budgets,
        "health": lambda: cluster.fail_gateway_health(SPACE, pod_of(stage)),
        "exec": lambda: run_in_container(me.api, Container(SPACE, pod_of(stage), "main"), ["true"]),
        "evict": lambda: cluster.evict(SPACE, pod_of(stage)),
        "delete": lambda: cluster.delete_pod(SPACE, pod_of(stage)),
        "ready": lambda: cluster.ready_gateway_nodes(stage.fleet.gateway),
        "control plane": lambda: cluster.deployment_ready(mesh.namespace, "istiod"),
        "partition": lambda: cluster.set_partition(SPACE, "servers", 0),
        "strategy": lambda: cluster.apply([strategy]),
        **{f"hook {h['kind']}": lambda h=h: cluster.apply([h]) for h in hooks},
        "namespace": lambda: cluster.apply([space]),
        **{f"custom {kind}": lambda g=g, k=kind: cluster.apply([_custom(g, k, fresh)]) for g, kind in custom},
        "unknown kind": lambda: _expected(me, unknown),
    }


def _custom(group: str, kind: str, fresh: str) -> dict[str, Any]:
    meta = {"name": f"x-{fresh}", "namespace": SPACE}
    return {"apiVersion": f"{group}/v1", "kind": kind, "metadata": meta, "spec": {}}


def _expected(me: User, item: dict[str, Any]) -> None:
    """A kind that nobody serves is waited for and then refused in these words; anything else is a lack of rights."""
    try:
        Resources(me.api).path(item)
    except StepFailed as error:
        if "serves no" not in error.message:
            raise


def refusals(stage: Stage, me: User, fresh: str) -> list[RackrollError]:
    found: list[RackrollError] = []
    for call in calls(stage, me, fresh).values():
        try:
            call()
        except RackrollError as error:
            found.append(error)
    return found


@pytest.fixture(autouse=True)
def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    """How long a new kind is waited for, and how long a refusal is doubted, is not the question here."""
    monkeypatch.setattr("rollout.adapters.kube.api.DOUBT", ())
    monkeypatch.setattr("rollout.adapters.kube.resources.ESTABLISHED_WITHIN", timedelta(seconds=0.5))


def test_the_shipped_role_is_enough_for_every_call(stage: Stage) -> None:
    assert refusals(stage, user(stage, "has-all", ALL), "all") == []


@pytest.mark.parametrize("lost", ALL, ids=str)
def test_without_one_verb_something_fails_and_names_it(stage: Stage, lost: Right) -> None:
    fresh = str(ALL.index(lost))
    me = user(stage, f"lacks-{fresh}", tuple(right for right in ALL if right != lost))
    found = refusals(stage, me, fresh)
    assert found, f"nothing notices that the user may not {lost}"
    for error in found:
        assert re.search(rf"\b{lost.verb}\b.*{re.escape(lost.resource)}\b", error.message), error.message
        assert "runner-rbac.yaml" in error.hint
    assert KubeRights(stage.fleet.site, ALL, me.api).missing() == (lost,)


def test_the_engine_asked_for_nothing_beyond_its_rights_in_any_run_so_far(stage: Stage) -> None:
    """By the audit log of the runs in this session; what every user may (discovery, /version) is no right."""
    asked = {used for entry in stage.requests() if (used := _right(entry)) is not None}
    assert asked <= set(ALL)


def _right(entry: dict[str, Any]) -> Right | None:
    about = entry.get("objectRef")
    if not about or "resource" not in about:
        return None
    subresource = about.get("subresource")
    resource = f"{about['resource']}/{subresource}" if subresource else about["resource"]
    return Right(about.get("apiGroup", ""), resource, entry["verb"])
