"""The shipped manifest, and how a user of the test gets its rights or all but one of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from rollout.adapters.kube.api import KubeApi, Refused

MANIFEST = Path(__file__).parents[3] / "roles" / "kubernetes" / "runner-rbac.yaml"
Rule = dict[str, list[str]]
RBAC = "/apis/rbac.authorization.k8s.io/v1"


def runner_rules() -> list[Rule]:
    return _rules("rackroll-runner")


def charts_rules() -> list[Rule]:
    return _rules("rackroll-charts")


def trust_rules() -> list[Rule]:
    return _rules("rackroll-trust")


def _rules(name: str) -> list[Rule]:
    documents = [d for d in yaml.safe_load_all(MANIFEST.read_text()) if d["metadata"]["name"] == name]
    rules: list[Rule] = documents[0]["rules"]
    return rules


def grant(api: KubeApi, user: str, rules: list[Rule]) -> None:
    role: dict[str, Any] = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": user},
        "rules": rules,
    }
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": user},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": user},
        "subjects": [{"kind": "User", "name": user, "apiGroup": "rbac.authorization.k8s.io"}],
    }
    for plural, item in (("clusterroles", role), ("clusterrolebindings", binding)):
        try:
            api.request("POST", f"{RBAC}/{plural}", body=item)
        except Refused as refused:
            if refused.refusal.code != 409:
                raise
