"""Rights: what a ServiceAccount may not do, in which words it is told so, and what our product makes of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from rollout.adapters.kube.api import connect
from rollout.adapters.kube.cluster import KubeCluster
from rollout.adapters.kube.execute import Container, run_in_container
from rollout.errors import StepFailed
from rollout.model.site import Kubernetes
from rollout.site.load import load_site
from tests.contract.target import Api, Json, Target
from tests.contract.test_product import ROOT
from tests.contract.workloads import deployed, pods, workload

pytestmark = pytest.mark.call("any call without credentials or rights")
RBAC = "rbac.authorization.k8s.io"
Account = Callable[..., Target]


@pytest.fixture
def account(api: Api, target: Target, space: str, tmp_path: Path) -> Account:
    """A ServiceAccount with these rules in its namespace, as a target of its own."""

    def made(*rules: Json) -> Target:
        where = f"/api/v1/namespaces/{space}/serviceaccounts"
        assert api.call("POST", where, {"metadata": {"name": "runner"}}).code == 201
        grant(api, space, rules)
        asked = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
        token = api.call("POST", f"{where}/runner/token", asked)["status"]["token"]
        return replace(target, kubeconfig=with_token(target.kubeconfig, token, tmp_path / "kubeconfig"))

    return made


def grant(api: Api, space: str, rules: Sequence[Json]) -> None:
    path = f"/apis/{RBAC}/v1/namespaces/{space}"
    subject = {"kind": "ServiceAccount", "name": "runner", "namespace": space}
    binding = {
        "metadata": {"name": "runner"},
        "roleRef": {"apiGroup": RBAC, "kind": "Role", "name": "runner"},
        "subjects": [subject],
    }
    role = {"metadata": {"name": "runner"}, "rules": list(rules)}
    assert api.call("POST", f"{path}/roles", role).code == 201
    assert api.call("POST", f"{path}/rolebindings", binding).code == 201


def with_token(kubeconfig: Path, token: str, path: Path) -> Path:
    """The same cluster, as somebody else."""
    known = yaml.safe_load(kubeconfig.read_text())
    for user in known["users"]:
        user["user"] = {"token": token}
    path.write_text(yaml.safe_dump(known))
    return path


def rule(resources: str, *verbs: str, group: str = "", **more: Any) -> Json:
    return {"apiGroups": [group], "resources": resources.split(","), "verbs": list(verbs), **more}


def cluster_of(target: Target) -> KubeCluster:
    site = load_site(ROOT / "inventory/lab")
    return KubeCluster(
        replace(site, kubernetes=replace(site.kubernetes, kubeconfig=target.kubeconfig, context=None))
    )


def test_a_refusal_names_who_what_and_where(space: str, account: Account) -> None:
    denied = Api(account())
    refused = denied.get(f"/api/v1/namespaces/{space}/secrets/s")
    assert (refused.code, refused["kind"], refused["reason"]) == (403, "Status", "Forbidden")
    assert refused["details"] == {"name": "s", "kind": "secrets"}
    assert refused["message"] == (
        f'secrets "s" is forbidden: User "system:serviceaccount:{space}:runner" cannot get resource "secrets" '
        f'in API group "" in the namespace "{space}"'
    )


def test_a_refusal_at_the_cluster_scope_says_so(space: str, account: Account) -> None:
    refused = Api(account()).get("/apis/policy/v1/poddisruptionbudgets")
    assert refused.code == 403
    assert refused["details"] == {"group": "policy", "kind": "poddisruptionbudgets"}
    assert refused["message"] == (
        f'poddisruptionbudgets.policy is forbidden: User "system:serviceaccount:{space}:runner" cannot list '
        'resource "poddisruptionbudgets" in API group "policy" at the cluster scope'
    )


def test_what_a_role_grants_is_granted_and_nothing_beside_it(space: str, account: Account) -> None:
    api = Api(account(rule("configmaps", "get", "list", "create")))
    path = f"/api/v1/namespaces/{space}/configmaps"
    assert api.call("POST", path, {"metadata": {"name": "c"}}).code == 201
    assert api.get(f"{path}/c").code == 200
    assert api.get(path).code == 200
    assert api.get(path, watch="true", timeoutSeconds="1").code == 403
    assert api.patch(f"{path}/c", {"data": {"k": "v"}}, "merge").code == 403
    assert api.call("DELETE", f"{path}/c").code == 403
    assert api.call("DELETE", path).code == 403
    assert api.get("/api/v1/configmaps").code == 403


def test_a_role_may_name_its_objects(space: str, account: Account) -> None:
    api = Api(account(rule("configmaps", "get", resourceNames=["kube-root-ca.crt"])))
    path = f"/api/v1/namespaces/{space}/configmaps"
    assert api.get(f"{path}/kube-root-ca.crt").code in (200, 404)
    assert api.get(f"{path}/other").code == 403


def test_a_subresource_is_a_right_of_its_own(api: Api, space: str, account: Account) -> None:
    deployed(api, space, workload("Deployment", "web", replicas=1))
    path = f"/apis/apps/v1/namespaces/{space}/deployments/web"
    limited = Api(account(rule("deployments", "get", "patch", group="apps")))
    assert limited.get(path).code == 200
    refused = limited.patch(f"{path}/scale", {"spec": {"replicas": 2}}, "merge")
    assert refused.code == 403
    assert 'cannot patch resource "deployments/scale"' in refused["message"]


def test_an_apply_needs_patch_and_where_nothing_is_yet_create_too(space: str, account: Account) -> None:
    api = Api(account(rule("configmaps", "patch")))
    path = f"/api/v1/namespaces/{space}/configmaps/c"
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}}
    refused = api.patch(path, body, "apply", fieldManager="one")
    assert refused.code == 403
    assert 'cannot create resource "configmaps"' in refused["message"]


def test_discovery_is_open_to_whoever_is_known(account: Account) -> None:
    api = Api(account())
    assert [api.get(path).code for path in ("/version", "/api/v1", "/apis", "/apis/apps/v1")] == [200] * 4


def test_everybody_may_ask_what_they_may_do(space: str, account: Account) -> None:
    api = Api(account(rule("pods", "get")))

    def allowed(verb: str) -> bool:
        about = {"namespace": space, "verb": verb, "resource": "pods"}
        body = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview"}
        told = api.call(
            "POST",
            "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
            {**body, "spec": {"resourceAttributes": about}},
        )
        assert told.code == 201
        return bool(told["status"]["allowed"])

    assert (allowed("get"), allowed("delete")) == (True, False)


def test_a_token_of_nobody_is_unauthorized(target: Target, tmp_path: Path) -> None:
    api = Api(replace(target, kubeconfig=with_token(target.kubeconfig, "e30.no", tmp_path / "kubeconfig")))
    refused = api.get("/api/v1/nodes")
    assert (refused.code, refused["reason"], refused["message"]) == (401, "Unauthorized", "Unauthorized")


def test_the_product_passes_the_refusal_on(space: str, account: Account) -> None:
    cluster = cluster_of(account())
    with pytest.raises(StepFailed, match='cannot list resource "nodes"'):
        cluster.nodes()
    with pytest.raises(
        StepFailed, match=f'cannot evict {space}/p: .* cannot create resource "pods/eviction"'
    ):
        cluster.evict(space, "p")


def test_a_command_in_a_pod_needs_its_right(api: Api, space: str, account: Account) -> None:
    deployed(api, space, workload("Deployment", "box", "busybox", replicas=1))
    name = pods(api, space, "box")[0]["metadata"]["name"]
    limited = account(rule("pods", "get"))
    kubernetes = Kubernetes(limited.kubeconfig, None, "")
    with pytest.raises(StepFailed, match='cannot get resource "pods/exec"'):
        run_in_container(connect(kubernetes), Container(space, name, "main"), ["true"])


@pytest.mark.differs("real-1.34", "Until 1.35 a WebSocket to pods/exec needs `get` only")
def test_to_begin_a_command_by_websocket_needs_create_too(api: Api, space: str, account: Account) -> None:
    deployed(api, space, workload("Deployment", "box", "busybox", replicas=1))
    name = pods(api, space, "box")[0]["metadata"]["name"]
    limited = account(rule("pods/exec", "get"))
    kubernetes = Kubernetes(limited.kubeconfig, None, "")
    with pytest.raises(StepFailed, match=f'pods "{name}" is forbidden'):
        run_in_container(connect(kubernetes), Container(space, name, "main"), ["true"])
