"""Nodes that are cordoned or lost, and what becomes of their pods."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from tests.contract.target import Api, Json, eventually
from tests.contract.workloads import bare_pod, ready, running

pytestmark = pytest.mark.call("Nodes that are cordoned or lost")
DOWN = "rackroll.test/down"


@pytest.fixture
def node(api: Api) -> Iterator[str]:
    """The last one's path; Ready and schedulable afterwards, whatever a test did to it."""
    path = f"/api/v1/nodes/{api.get('/api/v1/nodes')['items'][-1]['metadata']['name']}"
    yield path
    undone = {"metadata": {"annotations": {DOWN: None}}, "spec": {"unschedulable": None}}
    api.patch(path, undone, "merge")
    eventually(lambda: said(api, path, "True") and taints(api, path) == {}, 60)


def said(api: Api, node: str, ready: str) -> bool:
    """As a kubelet says it of itself, again and again: KWOK may still have a word of its own to say."""
    row = {"type": "Ready", "status": ready, "reason": "Contract"}
    return api.patch(f"{node}/status", {"status": {"conditions": [row]}}, "strategic").code == 200


def taints(api: Api, node: str) -> dict[str, str]:
    rows = api.get(node)["spec"].get("taints") or ()
    return {f"{row['key']}:{row['effect']}": row.get("value", "") for row in rows}


def here(node: str, name: str, **more: Any) -> Json:
    pod = bare_pod(name, **more)
    pod["spec"]["nodeSelector"] = {"kubernetes.io/hostname": node.rpartition("/")[2]}
    return pod


def waits(api: Api, path: str) -> bool:
    found = api.get(path)
    rows = found["status"].get("conditions") or ()
    return any(row["type"] == "PodScheduled" and row["status"] == "False" for row in rows)


def test_a_cordon_keeps_new_pods_out_and_running_ones_in(api: Api, space: str, node: str) -> None:
    old = running(api, space, here(node, "old"))
    api.patch(node, {"spec": {"unschedulable": True}}, "merge")
    eventually(lambda: "node.kubernetes.io/unschedulable:NoSchedule" in taints(api, node))
    where = f"/api/v1/namespaces/{space}/pods"
    new = eventually(lambda: kept_out(api, where, node), 60)
    assert ready(api.get(old).body)
    api.patch(node, {"spec": {"unschedulable": None}}, "merge")
    eventually(lambda: api.get(new)["status"].get("phase") == "Running", 60)


def kept_out(api: Api, where: str, node: str) -> str | None:
    """A new pod that has to wait: its path. The scheduler may see the cordon later than who asks the API: until then
    pods still go there, and the next one is tried."""
    path = f"{where}/new-{uuid.uuid4().hex[:6]}"
    assert api.call("POST", where, here(node, path.rpartition("/")[2])).code == 201
    decided = ("spec", "nodeName"), ("status", "conditions")
    eventually(lambda: any(api.get(path)[part].get(key) for part, key in decided))
    return path if waits(api, path) else None


@pytest.mark.parametrize(("status", "taint"), [("Unknown", "unreachable"), ("False", "not-ready")])
def test_a_node_that_says_it_is_not_ready_is_tainted_and_its_pods_are_as_they_say(
    api: Api, space: str, node: str, status: str, taint: str
) -> None:
    path = running(api, space, here(node, "p"))
    api.patch(node, {"metadata": {"annotations": {DOWN: "true"}}}, "merge")
    wanted = {f"node.kubernetes.io/{taint}:{effect}" for effect in ("NoSchedule", "NoExecute")}
    eventually(lambda: said(api, node, status) and wanted <= taints(api, node).keys(), 60)
    found = api.get(path)
    assert ready(found.body)
    assert "deletionTimestamp" not in found["metadata"]


def test_a_node_reports_its_kubelet_and_its_addresses(api: Api, node: str) -> None:
    status = api.get(node)["status"]
    assert status["nodeInfo"]["kubeletVersion"].startswith("v1.")
    assert {"InternalIP", "Hostname"} <= {row["type"] for row in status["addresses"]}
    assert int(status["allocatable"]["pods"]) > 0
