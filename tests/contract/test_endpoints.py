"""EndpointSlices: who is ready, who still serves, and who is on the way out."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.target import Api, Json, eventually
from tests.contract.workloads import bare_pod, running, unstuck

pytestmark = pytest.mark.call("Services and EndpointSlices")


def served(api: Api, space: str, **spec: Any) -> None:
    body = {
        "metadata": {"name": "bare"},
        "spec": {"selector": {"app": "bare"}, "ports": [{"port": 80}], **spec},
    }
    assert api.call("POST", f"/api/v1/namespaces/{space}/services", body).code == 201


def slices(api: Api, space: str) -> list[Json]:
    path = f"/apis/discovery.k8s.io/v1/namespaces/{space}/endpointslices"
    found: list[Json] = api.get(path, labelSelector="kubernetes.io/service-name=bare")["items"]
    return found


def conditions(api: Api, space: str) -> dict[str, tuple[bool, bool, bool]]:
    """Pod to (ready, serving, terminating)."""
    told = ("ready", "serving", "terminating")
    return {
        endpoint["targetRef"]["name"]: tuple(endpoint["conditions"].get(name, False) for name in told)
        for piece in slices(api, space)
        for endpoint in piece.get("endpoints") or ()
    }


def test_an_unready_pod_neither_is_ready_nor_serves(api: Api, space: str) -> None:
    served(api, space)
    running(api, space, bare_pod("good"))
    running(api, space, bare_pod("bad", unready="true"))
    wanted = {"good": (True, True, False), "bad": (False, False, False)}
    eventually(lambda: conditions(api, space) == wanted)


def test_a_leaving_pod_still_serves_while_it_is_ready(api: Api, space: str) -> None:
    served(api, space)
    path = running(api, space, bare_pod("p", grace=30, stuck="true"))
    eventually(lambda: conditions(api, space) == {"p": (True, True, False)})
    api.call("DELETE", path)
    eventually(lambda: conditions(api, space) == {"p": (False, True, True)})
    unstuck(api, path)
    eventually(lambda: conditions(api, space) == {})


def test_a_leaving_pod_that_is_not_ready_does_not_serve(api: Api, space: str) -> None:
    served(api, space)
    path = running(api, space, bare_pod("p", grace=30, stuck="true", unready="true"))
    api.call("DELETE", path)
    eventually(lambda: conditions(api, space) == {"p": (False, False, True)})
    unstuck(api, path)


def test_readiness_that_is_lost_is_seen(api: Api, space: str) -> None:
    """As a gateway whose health check was failed: its kubelet says so in the pod's status."""
    served(api, space)
    path = running(api, space, bare_pod("p"))
    eventually(lambda: conditions(api, space) == {"p": (True, True, False)})
    api.patch(path, {"metadata": {"annotations": {"rackroll.test/unready": "true"}}}, "merge")
    row = {"type": "Ready", "status": "False"}
    assert api.patch(f"{path}/status", {"status": {"conditions": [row]}}, "strategic").code == 200
    eventually(lambda: conditions(api, space) == {"p": (False, False, False)})


def test_a_service_may_publish_who_is_not_ready(api: Api, space: str) -> None:
    served(api, space, publishNotReadyAddresses=True)
    path = running(api, space, bare_pod("p", grace=30, stuck="true", unready="true"))
    eventually(lambda: conditions(api, space) == {"p": (True, False, False)})
    api.call("DELETE", path)
    eventually(lambda: conditions(api, space) == {"p": (True, False, True)})
    unstuck(api, path)


def test_a_slice_names_its_service_and_goes_with_it(api: Api, space: str) -> None:
    served(api, space)
    running(api, space, bare_pod("p"))
    (piece,) = eventually(lambda: [piece for piece in slices(api, space) if piece.get("endpoints")])
    assert piece["addressType"] == "IPv4"
    assert piece["metadata"]["labels"]["endpointslice.kubernetes.io/managed-by"] == (
        "endpointslice-controller.k8s.io"
    )
    assert piece["metadata"]["ownerReferences"][0]["kind"] == "Service"
    assert [(port["port"], port["protocol"]) for port in piece["ports"]] == [(80, "TCP")]
    api.call("DELETE", f"/api/v1/namespaces/{space}/services/bare")
    eventually(lambda: slices(api, space) == [])
