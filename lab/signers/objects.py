"""The few Kubernetes objects that a signer lives from: namespaces, accounts with their tokens, Secrets, ConfigMaps."""

from __future__ import annotations

import base64
from collections.abc import Mapping

from lab.signers.leaf import Workload
from rollout.adapters.kube.api import APPLY, JsonObject, KubeApi

_OWNER = {"fieldManager": "rackroll-lab", "force": "true"}
_TOKEN_SECONDS = 3600
"""Longer than a test; the API server gives none below ten minutes."""

Files = Mapping[str, bytes]


def apply(api: KubeApi, path: str, body: JsonObject) -> None:
    """By server-side apply: what of ours is no longer in ``body`` goes."""
    api.request("PATCH", path, query=_OWNER, body=body, content_type=APPLY)


def make_namespace(api: KubeApi, name: str) -> None:
    apply(
        api,
        f"/api/v1/namespaces/{name}",
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}},
    )


def make_account(api: KubeApi, workload: Workload) -> None:
    path = _account(workload)
    meta = {"name": workload.account, "namespace": workload.namespace}
    apply(api, path, {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta})


def token(api: KubeApi, workload: Workload, audience: str) -> str:
    """A token as kubelet projects it into the workload's pods. Never for a log."""
    spec = {"audiences": [audience], "expirationSeconds": _TOKEN_SECONDS}
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
    return str(api.request("POST", f"{_account(workload)}/token", body=body)["status"]["token"])


def put_secret(
    api: KubeApi, namespace: str, name: str, files: Mapping[str, str], kind: str = "Opaque"
) -> None:
    data = {key: base64.b64encode(value.encode()).decode() for key, value in files.items()}
    meta = {"name": name, "namespace": namespace}
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": meta, "type": kind, "data": data}
    apply(api, secret_path(namespace, name), body)


def put_config(api: KubeApi, namespace: str, name: str, files: Mapping[str, str]) -> None:
    meta = {"name": name, "namespace": namespace}
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": dict(files)}
    apply(api, config_path(namespace, name), body)


def read_files(api: KubeApi, path: str) -> Files:
    """What kubelet would lay into a volume of this Secret or ConfigMap. Raises Refused (404) where there is none."""
    found = api.get(path)
    data: Mapping[str, str] = found.get("data") or {}
    if "/secrets/" in path:
        return {key: base64.b64decode(value) for key, value in data.items()}
    return {key: value.encode() for key, value in data.items()}


def secret_path(namespace: str, name: str) -> str:
    return f"/api/v1/namespaces/{namespace}/secrets/{name}"


def config_path(namespace: str, name: str) -> str:
    return f"/api/v1/namespaces/{namespace}/configmaps/{name}"


def _account(workload: Workload) -> str:
    return f"/api/v1/namespaces/{workload.namespace}/serviceaccounts/{workload.account}"
