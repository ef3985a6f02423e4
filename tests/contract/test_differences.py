"""What real clusters have and the simulated API leaves out on purpose; each is seen to be so."""

from __future__ import annotations

import pytest

from tests.contract.target import Api, Target, eventually
from tests.contract.workloads import bare_pod, running

pytestmark = pytest.mark.call("Left out of the simulated API")


@pytest.fixture
def soon(target: Target) -> float:
    """Seconds to wait for what comes on a real cluster, and never here."""
    return 1.0 if target.simulated else 30.0


@pytest.mark.differs("simulated", "no Events are written: nothing here reads them")
def test_what_happens_to_a_pod_is_told_by_events(api: Api, space: str, soon: float) -> None:
    running(api, space, bare_pod("p"))
    path = f"/api/v1/namespaces/{space}/events"
    selected = "involvedObject.name=p,reason=Scheduled"
    eventually(lambda: api.get(path, fieldSelector=selected)["items"], soon)


@pytest.mark.differs("simulated", "of admission webhooks only Istio's injection is imitated, in place")
def test_a_webhook_that_must_answer_and_does_not_refuses(api: Api, space: str, soon: float) -> None:
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["configmaps"]}
    hook = {
        "name": "none.rackroll.io",
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
        "failurePolicy": "Fail",
        "rules": [rule],
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": space}},
        "clientConfig": {"service": {"name": "nobody", "namespace": space, "path": "/"}},
    }
    path = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"
    assert api.call("POST", path, {"metadata": {"name": space}, "webhooks": [hook]}).code == 201
    where = f"/api/v1/namespaces/{space}/configmaps"
    try:
        refused = eventually(lambda: _refusal(api, where), soon)
        assert 'failed calling webhook "none.rackroll.io"' in refused["message"]
    finally:
        api.call("DELETE", f"{path}/{space}")


def _refusal(api: Api, where: str) -> object:
    answer = api.call("POST", where, {"metadata": {"generateName": "c-"}})
    return None if answer.code == 201 else answer


@pytest.mark.differs(
    "simulated", "the roles that every cluster is born with (view, edit, admin ...) are not there"
)
def test_a_cluster_is_born_with_roles(api: Api) -> None:
    assert api.get("/apis/rbac.authorization.k8s.io/v1/clusterroles/view").code == 200


@pytest.mark.differs("simulated", "a pod has no token of its ServiceAccount mounted")
def test_a_pod_is_given_the_token_of_its_account(api: Api, space: str) -> None:
    path = running(api, space, bare_pod("p"))
    names = [volume["name"] for volume in api.get(path)["spec"].get("volumes") or ()]
    assert any(name.startswith("kube-api-access-") for name in names)
