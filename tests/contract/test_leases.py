"""Leases: of two that want one, the one with the older version is told so."""

from __future__ import annotations

import pytest

from tests.contract.target import Api, Json

pytestmark = pytest.mark.call("Leases")
FIRST, LATER = "2026-01-01T00:00:00.000000Z", "2026-01-01T00:00:10.123456Z"


def lease(holder: str, renewed: str = FIRST) -> Json:
    spec = {"holderIdentity": holder, "leaseDurationSeconds": 15, "renewTime": renewed}
    return {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "l"}, "spec": spec}


def test_a_lease_is_taken_and_renewed(api: Api, space: str) -> None:
    path = f"/apis/coordination.k8s.io/v1/namespaces/{space}/leases"
    made = api.call("POST", path, lease("a"))
    assert made.code == 201
    spec = {**made["spec"], "renewTime": LATER}
    renewed = api.call("PUT", f"{path}/l", {**made.body, "spec": spec})
    assert (renewed.code, renewed["spec"]["renewTime"]) == (200, LATER)
    assert "generation" not in renewed["metadata"]


def test_of_two_that_take_it_over_one_conflicts(api: Api, space: str) -> None:
    path = f"/apis/coordination.k8s.io/v1/namespaces/{space}/leases"
    seen = api.call("POST", path, lease("a")).body
    codes = [api.call("PUT", f"{path}/l", {**seen, "spec": lease(who)["spec"]}).code for who in ("b", "c")]
    assert codes == [200, 409]
    assert api.get(f"{path}/l")["spec"]["holderIdentity"] == "b"


def test_the_second_that_creates_it_is_told(api: Api, space: str) -> None:
    path = f"/apis/coordination.k8s.io/v1/namespaces/{space}/leases"
    assert [api.call("POST", path, lease(who)).code for who in ("a", "b")] == [201, 409]


def test_a_duration_of_nothing_is_invalid(api: Api, space: str) -> None:
    body = lease("a")
    body["spec"]["leaseDurationSeconds"] = 0
    refused = api.call("POST", f"/apis/coordination.k8s.io/v1/namespaces/{space}/leases", body)
    assert (refused.code, refused["reason"]) == (422, "Invalid")


def test_every_node_has_one(api: Api) -> None:
    found = api.get("/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases")["items"]
    nodes = {node["metadata"]["name"] for node in api.get("/api/v1/nodes")["items"]}
    assert nodes <= {item["metadata"]["name"] for item in found}
